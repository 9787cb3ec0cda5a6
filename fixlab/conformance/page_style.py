"""How a report's page looks: on a screen in light and in dark, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d5dbe1;
  --paper: #fff; --tint: #f5f7f9; --pass: #1a7f37; --lenient: #8a6100; --fail: #c2222e;
  --skip: #59636e; --blocked: #7a3fb5; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #363d46; --paper: #14171b; --tint: #1d2127;
    --pass: #4cc26a; --lenient: #dcae3c; --fail: #ff7b7b; --skip: #9aa4af;
    --blocked: #c49bf0; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
a { color: inherit; }
.pass { --now: var(--pass); } .lenient { --now: var(--lenient); } .fail { --now: var(--fail); }
.skip { --now: var(--skip); } .blocked { --now: var(--blocked); }
header { border-left: .5rem solid var(--now); padding: .25rem 0 .25rem 1rem; }
header p { margin: 0; color: var(--soft); }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.25; color: var(--now); }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; }
h3 { margin: 0 0 .5rem; font-size: 1.05rem; }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; padding: 0;
  list-style: none; }
.counts li { border: 1px solid var(--line); border-top: .25rem solid var(--now);
  border-radius: .3rem; padding: .3rem .9rem; min-width: 6.5rem; color: var(--now);
  font-size: .85rem; }
.counts b { display: block; font-size: 1.5rem; line-height: 1.2; color: var(--ink); }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; }
.facts div { min-width: 0; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
.facts dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.cases th, .cases td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }
.cases thead th { color: var(--soft); font-size: .85rem; font-weight: 400; }
.cases th:first-child { width: 4.5rem; }
.cases th:nth-child(3), .cases td:nth-child(3) { width: 7.5rem; color: var(--soft);
  white-space: nowrap; }
.cases th:nth-child(4), .cases td:nth-child(4) { width: 11rem; }
.cases th:nth-child(5), .cases td:nth-child(5) { width: 7rem; padding-right: 0; }
.cases .group th { padding-top: 1rem; border-bottom: 1px solid var(--soft); }
.cases small { display: block; color: var(--soft); }
.rule span { white-space: nowrap; }
.rule { color: var(--soft); font-size: .9rem; }
.chip { display: inline-block; min-width: 6.2rem; padding: 0 .5rem;
  border: 1px solid var(--now); border-radius: .3rem; color: var(--now); font-size: .8rem;
  font-weight: 600; white-space: nowrap; }
.key, footer, article small { color: var(--soft); font-size: .85rem; }
article { margin: 1rem 0; padding: .8rem 1rem; border: 1px solid var(--line);
  border-left: .3rem solid var(--now); border-radius: .3rem; }
article dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: .1rem .5rem; margin: 0; }
code, .wire { font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
.wire { margin-top: .4rem; background: var(--tint); }
.wire td { padding: .1rem .5rem; border-bottom: 1px solid var(--line); }
.wire td:nth-child(1) { width: 4.5rem; text-align: right; color: var(--soft); }
.wire td:nth-child(2) { width: 2.6rem; white-space: nowrap; }
.wire td:nth-child(3) { width: 1%; color: var(--soft); white-space: nowrap; }
.received td:nth-child(4) { font-weight: 600; }
.act td { color: var(--soft); font-style: italic; }
footer { margin-top: 2rem; }
@media (max-width: 40rem) {
  .cases th:nth-child(3), .cases td:nth-child(3), .cases th:nth-child(4), .cases
  td:nth-child(4), .wire td:nth-child(3) { display: none; }
  article dl { grid-template-columns: 1fr; }
  h1 { font-size: 1.5rem; } }
@media print {
  @page { margin: 14mm; }
  :root { font-size: 11px; }
  body { font-size: 9pt; }
  main { max-width: none; padding: 0; }
  code, .wire { font-size: 7.5pt; }
  h2, h3, .group { break-after: avoid; }
  header, .counts, tr, article dl { break-inside: avoid; }
  thead { display: table-header-group; }
  a { text-decoration: none; }
  .counts li, .chip, .wire, header { print-color-adjust: exact; } }
"""
