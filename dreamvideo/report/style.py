"""The page's style sheet: light and dark, narrow and wide, on paper."""

STYLE = """
:root { color-scheme: light dark; --paper: #faf9f6; --card: #fff; --ink: #1d1b26; --soft: #66627a;
  --edge: #e2dfe9; --one: #6d3be0; --two: #0b7d6e; --cut: #b5651d; --well: #16141d;
  --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { :root { --paper: #121017; --card: #1b1923; --ink: #eceaf3;
  --soft: #a29eb6; --edge: #322f3f; --one: #b197fc; --two: #4fd1b5; --cut: #e8a15c;
  --well: #08070b; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; color: var(--ink);
  background: var(--paper); margin: 0 auto; max-width: 92rem; padding: clamp(1rem, 3vw, 2.5rem); }
h1 { font-size: clamp(1.35rem, 3.4vw, 2.1rem); line-height: 1.2; margin: 0 0 .25rem;
  letter-spacing: -.015em; overflow-wrap: anywhere; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .35rem; letter-spacing: -.005em; }
p { margin: .2rem 0 .8rem; max-width: 75ch; overflow-wrap: anywhere; }
.soft, figcaption, th { color: var(--soft); }
.cards { display: grid; gap: .6rem; margin: 1.2rem 0; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.cards div { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: .6rem .85rem; min-width: 0; }
.cards dt { color: var(--soft); font-size: .82rem; }
.cards dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.cards small { display: block; font-size: .78rem; font-weight: 400; color: var(--soft); }
.stage { position: relative; width: min(100%, calc(72vh * var(--ratio))); margin: 0 auto;
  aspect-ratio: var(--ratio); background: var(--well); border-radius: 10px; overflow: hidden;
  touch-action: pan-y; }
.stage video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: fill; }
.stage.split video.left { clip-path: inset(0 calc(100% - var(--at, 50%)) 0 0); }
.stage.right .left, .stage.left .right { visibility: hidden; }
.stage.beside { display: grid; grid-template-columns: 1fr 1fr; gap: 4px; width: 100%;
  aspect-ratio: calc(2 * var(--ratio)); }
.stage.beside video { position: static; min-width: 0; }
.tag { position: absolute; top: .6rem; padding: .05rem .55rem; border-radius: 99px; color: #fff;
  background: #000a; font-size: .8rem; pointer-events: none; }
.tag.left { left: .6rem; } .tag.right { right: .6rem; }
.stage.right .tag.left, .stage.left .tag.right { display: none; }
.divider { position: absolute; top: 0; bottom: 0; left: var(--at, 50%); width: 44px;
  margin-left: -22px; cursor: ew-resize; touch-action: none; }
.divider::before { content: ""; position: absolute; inset: 0 21px; background: #fff;
  box-shadow: 0 0 6px #000a; }
.divider::after { content: "\\2039\\a0\\203a"; position: absolute; top: 50%; left: 4px; width: 36px;
  height: 36px; margin-top: -18px; border-radius: 50%; background: #fff; color: #222;
  box-shadow: 0 1px 8px #0008; font: 600 19px/32px system-ui; text-align: center; }
.stage:not(.split) .divider { display: none; }
.divider:focus-visible { outline: none; }
.divider:focus-visible::after { outline: 3px solid var(--one); outline-offset: 2px; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem .7rem; align-items: center;
  margin: .6rem auto 0; }
.bar input[type=range] { flex: 1 1 12rem; min-width: 0; accent-color: var(--one); height: 1.6rem; }
.bar output { font: 13px var(--mono); min-width: 15ch; }
.bar label { display: inline-flex; gap: .3rem; align-items: center; font-size: .88rem; }
fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem .8rem; }
button, select { font: inherit; font-size: .9rem; color: inherit; background: var(--card);
  border: 1px solid var(--edge); border-radius: 8px; padding: .3rem .7rem; cursor: pointer; }
button:hover, select:hover { border-color: var(--one); }
#play { min-width: 5.2rem; background: var(--one); border-color: var(--one); color: var(--paper);
  font-weight: 600; }
:focus-visible { outline: 3px solid var(--one); outline-offset: 2px; border-radius: 6px; }
.panels { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%,
  25rem), 1fr)); }
figure { margin: 0; min-width: 0; }
.panel { background: var(--card); border: 1px solid var(--edge); border-radius: 10px;
  padding: .7rem .85rem .55rem; break-inside: avoid; }
.panel h3 { font-size: .95rem; margin: 0; }
.panel figcaption { font-size: .82rem; min-height: 1.3em; }
.plot { position: relative; margin: .45rem 0 .1rem; padding-left: 3.7rem; }
.plot svg { display: block; width: 100%; height: 120px; overflow: visible; cursor: crosshair; }
.plot .most, .plot .least { position: absolute; left: 0; width: 3.4rem; text-align: right;
  font: 11px/1 var(--mono); color: var(--soft); pointer-events: none; }
.plot .most { top: 0; } .plot .least { bottom: 0; }
.line { fill: none; stroke: var(--one); stroke-width: 1.8; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.line.second { stroke: var(--two); stroke-width: 1.4; }
.scene, .zero, .now { vector-effect: non-scaling-stroke; fill: none; stroke: var(--edge); }
.scene { stroke: var(--cut); stroke-dasharray: 3 3; } .now { stroke: var(--ink); opacity: .55; }
.frame { fill: none; stroke: var(--edge); vector-effect: non-scaling-stroke; }
.axis { display: flex; justify-content: space-between; padding-left: 3.7rem; font: 11px var(--mono);
  color: var(--soft); }
.key { float: right; display: flex; gap: .8rem; font: 12px/1.6 var(--mono); }
.key span::before { content: ""; display: inline-block; width: .8em; height: 3px;
  margin-right: .35em; vertical-align: middle; background: var(--one); border-radius: 2px; }
.key span.second::before { background: var(--two); }
.stills { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fill, minmax(min(47%,
  10rem), 1fr)); margin: .6rem 0 0; padding: 0; list-style: none; }
.stills.big { grid-template-columns: repeat(auto-fill, minmax(min(47%, 15rem), 1fr)); }
.stills a, .stills .dead { display: block; color: inherit; text-decoration: none; font-size: .82rem;
  line-height: 1.35; break-inside: avoid; }
.stills img { display: block; width: 100%; height: auto; border-radius: 7px; margin-bottom: .25rem;
  background: var(--edge); }
@media screen {
  .stills a:hover img, .stills a.here img { box-shadow: 0 0 0 3px var(--one); } }
.stills b { font: 600 12px var(--mono); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; max-width: 62rem; }
th, td { text-align: left; padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--edge);
  vertical-align: top; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th { font-weight: 500; }
pre { font: 13px/1.5 var(--mono); background: var(--card); border: 1px solid var(--edge);
  border-radius: 10px; padding: .8rem 1rem; margin: .4rem 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.recipes { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%,
  26rem), 1fr)); }
.recipes > * { min-width: 0; }
ul.notes { padding-left: 1.1rem; margin: .5rem 0; max-width: 80ch; overflow-wrap: anywhere; }
kbd { font: 12px var(--mono); border: 1px solid var(--edge); border-bottom-width: 2px;
  border-radius: 5px; padding: 0 .35em; background: var(--card); }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --edge: #bbb;
  --one: #5a2bd0; --two: #06695c; } body { max-width: none; padding: 0; font-size: 11px; }
  .stage, .bar, .player, .now, button { display: none !important; } h2 { break-after: avoid; }
  .panels { grid-template-columns: 1fr 1fr; } .stills { grid-template-columns: repeat(6, 1fr); }
  .stills.big { grid-template-columns: repeat(4, 1fr); } pre { font-size: 9px; } }
"""
