"""How a report's page looks, beyond what all pages share."""

STYLE = """
.pass { --now: var(--good); } .lenient { --now: var(--warn); } .fail { --now: var(--bad); }
.skip { --now: var(--quiet); } .blocked { --now: var(--odd); }
.list th:first-child { width: 4.5rem; }
.list th:nth-child(3), .list td:nth-child(3) { width: 7.5rem; color: var(--soft);
  white-space: nowrap; }
.list th:nth-child(4), .list td:nth-child(4) { width: 11rem; }
.list th:nth-child(5), .list td:nth-child(5) { width: 7rem; padding-right: 0; }
.wire td:nth-child(1) { width: 4.5rem; text-align: right; color: var(--soft); }
.wire td:nth-child(2) { width: 2.6rem; white-space: nowrap; }
.wire td:nth-child(3) { width: 1%; color: var(--soft); white-space: nowrap; }
.received td:nth-child(4) { font-weight: 600; }
.act td { color: var(--soft); font-style: italic; }
@media (max-width: 40rem) {
  .list th:nth-child(3), .list td:nth-child(3), .list th:nth-child(4), .list
  td:nth-child(4), .wire td:nth-child(3) { display: none; } }
"""
