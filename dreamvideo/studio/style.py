"""The page's style sheet: one column on a phone, three on a desktop; light and dark."""

STYLE = """
:root { --bg: #f5f4f8; --card: #ffffff; --ink: #1a1626; --soft: #5f5872; --line: #dcd8e6;
  --accent: #6d3bd1; --on-accent: #ffffff; --well: #ece9f3; --bad: #b3261e; color-scheme: light; }
body.body--dark { --bg: #100d18; --card: #1a1626; --ink: #efecf7; --soft: #a79fbd;
  --line: #342d47; --accent: #b694ff; --on-accent: #180c33; --well: #0a0810; --bad: #ff8a80;
  color-scheme: dark; }
body { background: var(--bg) !important; color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.nicegui-content { padding: 0; gap: 0; align-items: stretch; display: block; }
.head { display: flex; align-items: baseline; gap: 1rem; padding: .8rem 1.25rem .2rem; }
.head h1 { font-size: 1.3rem; font-weight: 650; letter-spacing: -.01em; line-height: 1.3;
  margin: 0; }
.tagline { color: var(--soft); margin: 0; flex: 1; }
.studio { display: grid; gap: 1rem; padding: .8rem 1.25rem 2rem; align-items: start;
  grid-template-columns: minmax(0, 1fr); max-width: 1800px; margin: 0 auto; }
.left { display: contents; }
.source { order: 1; } .stage { order: 2; } .looks { order: 3; } .right { order: 4; }
.below { order: 5; }
.left, .right, .below { gap: 1rem; min-width: 0; grid-template-columns: minmax(0, 1fr); }
.right, .below { display: grid; }
@media (max-width: 759px) {
  .stage { position: sticky; top: 0; z-index: 5; box-shadow: 0 6px 18px -10px #0008; } }
@media (min-width: 760px) {
  .stage { grid-area: stage; } .right { grid-area: right; } .below { grid-area: below; }
  .studio { grid-template: "source source" auto "looks looks" auto "stage right" auto
    "below right" 1fr / minmax(0, 1fr) 300px; }
  .source { grid-area: source; } .looks { grid-area: looks; } }
@media (min-width: 1180px) {
  .studio { grid-template: "left stage right" auto "left below right" 1fr
    / 300px minmax(0, 1fr) 320px; }
  .left { display: grid; grid-area: left; }
  .source, .looks { grid-area: auto; } }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: .9rem 1rem 1rem; min-width: 0; }
.card h2 { font-size: .95rem; font-weight: 650; line-height: 1.3; margin: 0 0 .6rem; }
.card h3 { font-size: .95rem; font-weight: 600; line-height: 1.3; margin: 0;
  overflow-wrap: anywhere; }
p { margin: 0; }
.line { color: var(--soft); min-height: 1.45em; overflow-wrap: anywhere; }
.line:empty { display: none; }
.bad { color: var(--bad) !important; }
.grow { flex: 1 1 7rem; }
.btn { font: inherit; font-weight: 550; color: var(--ink); background: transparent;
  border: 1px solid var(--line); border-radius: 9px; padding: .38rem .85rem; cursor: pointer;
  text-decoration: none; display: inline-block; }
.btn:hover:not(:disabled) { border-color: var(--accent); }
.btn:disabled { opacity: .45; cursor: default; }
.btn[aria-pressed=true] { border-color: var(--accent); color: var(--accent); }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.wide { width: 100%; padding: .6rem; margin-top: .9rem; font-size: 1.02rem; }
.link { border: 0; padding: 0 .1rem; color: var(--accent); font-weight: 500; border-radius: 4px; }
.link:hover { text-decoration: underline; }
.quiet { color: var(--soft); font-weight: 450; }
:is(button, input, select, a, pre, summary, label):focus-visible,
.look:has(input:focus-visible), .kind:has(input:focus-visible), .drop:focus-within {
  outline: 3px solid var(--accent); outline-offset: 2px; }
.drop { display: block; border: 2px dashed var(--line); border-radius: 11px; padding: 1.1rem .8rem;
  text-align: center; cursor: pointer; color: var(--soft); position: relative; }
.drop:hover, .dropping .drop { border-color: var(--accent); color: var(--ink); }
.drop input { position: absolute; inset: 0; opacity: 0; width: 100%; cursor: pointer; }
.source-name { margin-top: .6rem; font-weight: 550; overflow-wrap: anywhere; }
.source-name:empty { display: none; }
#upload-line { margin-top: .5rem; }
.look-grid { display: grid; gap: .6rem; grid-auto-flow: column; grid-auto-columns: 104px;
  overflow-x: auto; padding: 4px; margin: -4px; scrollbar-width: thin; }
@media (min-width: 1180px) { .look-grid { grid-auto-flow: row; overflow: hidden auto;
  grid-template-columns: repeat(2, minmax(0, 1fr)); max-height: max(26rem, 100vh - 23rem); } }
.look { position: relative; cursor: pointer; border-radius: 10px; overflow: hidden;
  background: var(--well); border: 2px solid transparent; display: block; }
.look img, .no-picture { width: 100%; aspect-ratio: 3 / 2; object-fit: cover; display: block; }
.no-picture { display: grid; place-items: center; color: var(--soft); font-size: .8rem;
  text-align: center; }
.look-name { display: block; padding: .15rem .5rem .25rem; font-size: .86rem; }
.look input, .kind input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%;
  margin: 0; cursor: pointer; }
.look:hover { border-color: var(--line); }
.look:has(input:checked) { border-color: var(--accent); }
.look:has(input:checked) .look-name { background: var(--accent); color: var(--on-accent);
  font-weight: 600; }
.stage { padding: .7rem; }
.screen { position: relative; width: 100%; max-height: min(68vh, 900px); background: var(--well);
  border-radius: 10px; overflow: hidden; display: grid; place-items: center;
  aspect-ratio: 16 / 9; }
.frame { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.empty { color: var(--soft); padding: 1rem; text-align: center; font-size: 1.05rem;
  display: grid; gap: 1rem; }
.begin { display: flex; flex-wrap: wrap; gap: .8rem; justify-content: center; }
.begin button { font: inherit; font-size: .9rem; color: var(--ink); background: var(--card);
  border: 2px solid transparent; border-radius: 12px; padding: 0 0 .3rem; overflow: hidden;
  cursor: pointer; width: clamp(88px, 24%, 200px); }
.begin button:hover { border-color: var(--accent); }
.begin :is(img, video) { width: 100%; aspect-ratio: 3 / 2; object-fit: cover; display: block;
  margin-bottom: .3rem; }
.bar { width: 100%; height: 5px; display: block; border: 0; border-radius: 3px; margin: .45rem 0;
  appearance: none; background: var(--line); overflow: hidden; accent-color: var(--accent); }
.bar::-webkit-progress-bar { background: var(--line); border-radius: 3px; }
.bar::-webkit-progress-value { background: var(--accent); border-radius: 3px;
  transition: width .2s; }
.bar::-moz-progress-bar { background: var(--accent); }
.bar.idle { visibility: hidden; }
.stage-foot, .actions { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.scrub { display: flex; gap: .9rem; align-items: center; padding: .3rem .5rem 0; }
.scrub .range { flex: 1; }
.slider { margin-bottom: .15rem; }
.slider-head { display: flex; gap: .5rem; align-items: baseline; }
.slider-label { font-weight: 500; }
.slider-value { color: var(--soft); font-variant-numeric: tabular-nums; margin-left: auto;
  white-space: nowrap; }
.range { width: 100%; min-width: 0; height: 26px; margin: 0; accent-color: var(--accent);
  cursor: pointer; border-radius: 6px; display: block; }
.slider-value.hidden + .link { margin-left: auto; }
.seed { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .5rem;
  margin: .1rem 0 .3rem; }
.number { font: inherit; font-variant-numeric: tabular-nums; color: var(--ink);
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .3rem .5rem; min-width: 0; width: 100%; }
.kinds { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 3px;
  background: var(--well); border-radius: 10px; padding: 3px; margin-bottom: .7rem; }
.kind { position: relative; text-align: center; padding: .3rem; border-radius: 8px;
  cursor: pointer; font-weight: 550; color: var(--soft); }
.kind:has(input:checked) { background: var(--card); color: var(--ink);
  box-shadow: 0 1px 3px #0003; }
.fields { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem; }
.field { display: grid; gap: .15rem; color: var(--soft); font-size: .86rem; }
.field select { font: inherit; font-size: .95rem; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: .35rem .4rem; width: 100%; }
.part { margin-top: .7rem; display: flex; flex-wrap: wrap; gap: .1rem .8rem;
  color: var(--soft); font-variant-numeric: tabular-nums; }
.render .line { margin-top: .4rem; text-align: center; }
.copied { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .6rem;
  align-items: start; }
.code { font: 13px/1.5 ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace; margin: 0;
  background: var(--well); border-radius: 8px; padding: .5rem .7rem; white-space: pre-wrap;
  overflow-wrap: anywhere; max-height: 22rem; overflow-y: auto; }
.code code { font: inherit; }
details { margin-top: .7rem; }
summary { display: list-item; list-style: disclosure-closed inside; cursor: pointer;
  color: var(--soft); margin-bottom: .4rem; border-radius: 4px; }
details[open] > summary { list-style-type: disclosure-open; }
.jobs { display: grid; gap: .9rem; }
.job { border-top: 1px solid var(--line); padding-top: .8rem; display: grid; gap: .4rem; }
.job:first-child { border-top: 0; padding-top: 0; }
.made { width: min(100%, 560px); max-height: 60vh; border-radius: 10px; display: block;
  background: var(--well); }
.saved { margin-top: .3rem; font-size: .86rem; }
.ask { max-width: 26rem; display: grid; gap: 1rem; }
@media (max-width: 759px) {
  .head { padding: .7rem .8rem .1rem; flex-wrap: wrap; gap: .2rem .8rem; }
  .tagline { order: 3; flex-basis: 100%; font-size: .88rem; }
  .head .btn { margin-left: auto; }
  .studio { padding: .6rem .8rem 2rem; gap: .7rem; }
  .screen { max-height: 42vh; }
  .stage-foot .btn { padding: .3rem .6rem; font-size: .92rem; }
  .copied { grid-template-columns: minmax(0, 1fr); }
  .copied .btn { justify-self: end; } }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
"""
