"""Formulas such as ``0.5 + 0.2 * sin(2 * pi * t)``, evaluated without Python's eval.

The text is parsed by ``ast`` and turned into functions of a time point, node by node; anything that
is not listed here is rejected. All numbers are floats, so that no power can grow without bound.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from dreamvideo.schedules.moment import CLOCKS, SOUNDS, ScheduleError, TimePoint

Value = Callable[[TimePoint], float]

LONGEST = 500
DEEPEST = 40
MANY = 99
# Most seconds over which a sound can be averaged.
SMOOTHEST = 60.0

_STRANGE = re.compile(r"[^0-9a-z_.+\-*/%(),<>=!~: ]")
# A level, of a stem if its name and a dot precede it, and the seconds that it is averaged over.
_SOUND = re.compile(
    r"audio\s*:\s*((?:[a-z]\w*\.)?[a-z]\w*)"
    r"(?:\s*~\s*([0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}))?"
)
# Hexadecimal, underscored and imaginary numbers, which Python has but formulas do not.
_ODD_NUMBER = re.compile(r"(?<![\w.])[0-9][0-9.]*(?!e[-+]?[0-9])[a-z_]\w*")
_HEARD = "heard_{}_"


@dataclass(frozen=True)
class Expression:
    """A formula in ``t`` (seconds), ``f`` (frames), ``p`` (0 .. 1 of the film) and sounds.

    ``sounds`` are the sound levels and clocks that it follows.
    """

    text: str
    sounds: frozenset[str] = frozenset()
    value: Value = field(default=lambda moment: 0.0, repr=False, compare=False)

    def at(self, moment: TimePoint) -> float:
        """Evaluate the formula. Raises ScheduleError, naming the time, if it has no value."""
        try:
            value = self.value(moment)
        except ZeroDivisionError:
            reason = "it divides by zero"
        except OverflowError:
            reason = "it is too large"
        except ValueError:
            reason = "it takes a root or logarithm that does not exist"
        else:
            if math.isfinite(value):
                return value
            reason = "it is too large"
        raise ScheduleError(f"{self.text!r} has no value at {moment.seconds:.4g} s: {reason}")


def parse_expression(text: str) -> Expression | float:
    """Parse a formula; returns a number if it is constant. Raises ScheduleError."""
    source = " ".join(text.lower().split())
    if len(source) > LONGEST:
        raise ScheduleError(f"{source[:20]!r}... is longer than {LONGEST} characters")
    strange = _STRANGE.search(source)
    if strange or _ODD_NUMBER.search(source) or not source:
        hint = ": powers are written **" if strange and strange[0] == "^" else ""
        raise ScheduleError(f"{source!r} is not a value{hint}")
    sounds: list[str] = []
    python = _SOUND.sub(partial(_heard, sounds), source)
    body = _parse(python, source)
    compiled = _Compiler(source, tuple(sounds))
    value = compiled.value(body, 0)
    expression = Expression(source, frozenset({*sounds, *compiled.clocks}), value)
    return expression if compiled.varies else expression.at(TimePoint())


def noise(x: float, seed: float = 0.0) -> float:
    """A smooth random curve within -1 .. 1, with a new value at each whole ``x``, per seed."""
    whole = math.floor(x)
    part = x - whole
    share = part * part * (3 - 2 * part)
    begin, end = _random(whole, seed), _random(whole + 1, seed)
    return begin + share * (end - begin)


def _random(number: int, seed: float) -> float:
    """Return a random number in -1 .. 1.

    Two rounds of a 64-bit mix (the finaliser of SplitMix64).
    """
    mask = 2**64 - 1
    mixed = (number * 0x9E3779B97F4A7C15 + math.floor(seed) * 0xD1B54A32D192ED03) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return (mixed ^ (mixed >> 31)) / 2**63 - 1


def _clamp(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


def _heard(sounds: list[str], match: re.Match[str]) -> str:
    name = match[1]
    stem, _, level = name.rpartition(".")
    if level not in SOUNDS or stem in SOUNDS:
        hint = ", or of a stem, drums.low" if stem not in SOUNDS else ""
        raise ScheduleError(f"there is no sound {name!r}: follow {', '.join(SOUNDS)}{hint}")
    if match[2] and float(match[2]) > SMOOTHEST:
        raise ScheduleError(f"{match[0]!r}: a sound is smoothed over {SMOOTHEST:g} s at most")
    sounds.append(f"{name}~{float(match[2]):g}" if match[2] and float(match[2]) else name)
    return _HEARD.format(len(sounds) - 1)


def _parse(python: str, source: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(python, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ScheduleError(f"{source!r} is not a value") from None


# (function, fewest, most arguments)
FUNCTIONS: dict[str, tuple[Callable[..., float], int, int]] = {
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "tan": (math.tan, 1, 1),
    "abs": (abs, 1, 1),
    "min": (min, 2, MANY),
    "max": (max, 2, MANY),
    "floor": (lambda x: float(math.floor(x)), 1, 1),
    "ceil": (lambda x: float(math.ceil(x)), 1, 1),
    "sqrt": (math.sqrt, 1, 1),
    "exp": (math.exp, 1, 1),
    "log": (math.log, 1, 1),
    "pow": (math.pow, 2, 2),
    "clamp": (_clamp, 3, 3),
    "noise": (noise, 1, 2),
}
NAMES: dict[str, Value] = {
    "t": lambda moment: moment.seconds,
    "f": lambda moment: moment.frame,
    "p": lambda moment: moment.share,
}
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
    # On floats only, as ** may give complex numbers.
    ast.Pow: math.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class _Compiler:
    """Turns the nodes of one formula into functions; ``varies`` if any depends on time."""

    def __init__(self, source: str, sounds: tuple[str, ...]) -> None:
        self.varies = False
        self.clocks: set[str] = set()
        self._source = source
        self._sounds = sounds

    def value(self, node: ast.expr, depth: int) -> Value:
        if depth > DEEPEST:
            raise ScheduleError(f"{self._source[:20]!r}... is nested too deeply")
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                made = self._constant(number)
            case ast.Name(id=name):
                made = self._build_name(name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                made = self._build_sign(sign, operand, depth)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                made = self._two(_BINARY[type(op)], left, right, depth)
            case ast.Compare(left=left, ops=[how], comparators=[right]) if type(how) in _COMPARE:
                made = self._two(_COMPARE[type(how)], left, right, depth)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                made = self._either(test, body, orelse, depth)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                made = self._build_call(name, arguments, depth)
            case _:
                raise ScheduleError(f"{self._source!r} is not a value")
        return made

    def _constant(self, number: int | float) -> Value:
        constant = self._float(number)
        return lambda moment: constant

    def _build_sign(self, sign: ast.unaryop, operand: ast.expr, depth: int) -> Value:
        value = self.value(operand, depth + 1)
        return (lambda moment: -value(moment)) if isinstance(sign, ast.USub) else value

    def _either(self, test: ast.expr, body: ast.expr, orelse: ast.expr, depth: int) -> Value:
        asked, yes, no = (self.value(part, depth + 1) for part in (test, body, orelse))
        return lambda moment: yes(moment) if asked(moment) else no(moment)

    def _float(self, number: int | float) -> float:
        try:
            value = float(number)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise ScheduleError(f"{self._source[:40]!r} holds a number that is too large")
        return value

    def _two(
        self, function: Callable[[float, float], float], a: ast.expr, b: ast.expr, depth: int
    ) -> Value:
        left, right = self.value(a, depth + 1), self.value(b, depth + 1)
        return lambda moment: float(function(left(moment), right(moment)))

    def _build_call(self, name: str, args: list[ast.expr], depth: int) -> Value:
        if name not in FUNCTIONS:
            raise ScheduleError(f"there is no function {name!r}: use {', '.join(FUNCTIONS)}")
        function, fewest, most = FUNCTIONS[name]
        if not fewest <= len(args) <= most:
            wanted = " or ".join(map(str, range(fewest, most + 1))) if most < MANY else "2 or more"
            raise ScheduleError(f"{name}() takes {wanted} numbers, not {len(args)}")
        values = [self.value(argument, depth + 1) for argument in args]
        return lambda moment: float(function(*(value(moment) for value in values)))

    def _build_name(self, name: str) -> Value:
        if name == "pi":
            return lambda moment: math.pi
        self.varies = True
        if name in NAMES:
            return NAMES[name]
        if name in CLOCKS:
            self.clocks.add(name)
            return lambda moment: moment.clock(name)
        for index, sound in enumerate(self._sounds):
            if name == _HEARD.format(index):
                return partial(_loudness, sound)
        known = (
            "of t (seconds), f (frames), p (0 .. 1 of the film), beat, bar, bpm, pi or audio:low"
        )
        raise ScheduleError(
            f"{self._source!r} is not a value: write a number, or a formula {known}"
        )


def _loudness(sound: str, moment: TimePoint) -> float:
    """Return how loud the sound is now; 0 if there is none."""
    heard = moment.sound
    return float(heard[sound] if sound in heard else heard.get(sound.partition("~")[0], 0.0))
