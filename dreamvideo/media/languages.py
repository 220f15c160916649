"""Language codes: MP4 requires three letters, Matroska also has en-US."""

from __future__ import annotations

# ISO 639-1 to ISO 639-2 (terminological) for the most common languages of films.
_TERMINOLOGICAL = """
af:afr am:amh ar:ara az:aze be:bel bg:bul bn:ben bs:bos ca:cat cs:ces cy:cym da:dan de:deu el:ell
en:eng eo:epo es:spa et:est eu:eus fa:fas fi:fin fr:fra ga:gle gl:glg gu:guj he:heb hi:hin hr:hrv
hu:hun hy:hye id:ind is:isl it:ita ja:jpn ka:kat kk:kaz km:khm kn:kan ko:kor la:lat lb:ltz lo:lao
lt:lit lv:lav mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya nb:nob ne:nep nl:nld nn:nno no:nor
pa:pan pl:pol ps:pus pt:por ro:ron ru:rus sa:san si:sin sk:slk sl:slv sq:sqi sr:srp sv:swe sw:swa
ta:tam te:tel th:tha tl:tgl tr:tur uk:ukr ur:urd uz:uzb vi:vie yi:yid zh:zho zu:zul
"""
# Bibliographic codes of the same languages, which many containers use.
_BIBLIOGRAPHIC = """
alb:sqi arm:hye baq:eus bur:mya chi:zho cze:ces dut:nld fre:fra geo:kat ger:deu gre:ell ice:isl
mac:mkd may:msa per:fas rum:ron slo:slk wel:cym
"""
_THREE_LETTERS = dict(pair.split(":") for pair in _TERMINOLOGICAL.split())
_OTHER_NAMES = dict(pair.split(":") for pair in _BIBLIOGRAPHIC.split())


def three_letters(language: str) -> str | None:
    """Convert ``en-US`` or ``en`` to ``eng``, ``ger`` to ``deu``; None if there is no such code.

    Of several languages, as in ``eng,fra``, the first counts.
    """
    code = language.replace(",", "-").replace("_", "-").strip().lower().partition("-")[0]
    code = _THREE_LETTERS.get(code, code)
    code = _OTHER_NAMES.get(code, code)
    return code if len(code) == 3 and code.isascii() and code.isalpha() else None


def same_language(one: str, other: str) -> bool:
    """Return whether two codes mean one language.

    Regions or scripts count only if both codes have one.
    """
    if one.lower() == other.lower():
        return True
    regions = [code.replace("_", "-").lower().partition("-")[2] for code in (one, other)]
    code = three_letters(one)
    return code is not None and code == three_letters(other) and not all(regions)
