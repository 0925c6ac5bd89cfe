"""Reports for trial operators, made from the audit log alone."""

from __future__ import annotations

import sys
from pathlib import Path


def report_command(state_dir: Path, out: Path) -> int:
    """Write the trial report of ``state_dir`` to ``out``. Returns 0, or 2 where the log cannot be read or the file not written."""
    from gate.audit import FILE_NAME, AuditError, open_readonly
    from gate.report.trial import render_trial

    try:
        with open_readonly(state_dir / FILE_NAME) as log:
            page = render_trial(log.transactions())
        out.write_text(page, encoding="utf-8")
    except AuditError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{out}: {error.strerror} (name another file with --out)", file=sys.stderr)
        return 2
    print(f"trial report: {out}")
    return 0
