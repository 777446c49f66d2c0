"""Where log lines go: one line each on standard error, a static sentence and its fields.

Called once, at the start of a process.  Libraries' own lines pass only from warnings up: some
write what was said at lower levels.
"""

import logging
import sys
from typing import TYPE_CHECKING

from loguru import logger

if TYPE_CHECKING:
    from loguru import Record

OURS = ("agent", "tts", "transports", "__main__")


def set_up_logging(level: str = "INFO") -> None:
    """Send our lines of `level` and above, and libraries' warnings, to standard error."""
    logger.remove()
    logger.add(
        sys.stderr,
        level=level,
        format="{time:YYYY-MM-DD HH:mm:ss.SSS} {level} {message} {extra}",
        filter=_passes,
        diagnose=False,  # else a traceback shows the values of variables, speech among them
    )
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)


def _passes(record: "Record") -> bool:
    name = (record["name"] or "").split(".")[0]
    return name in OURS or record["level"].no >= logging.WARNING


class _ToLoguru(logging.Handler):
    """Hands lines of the standard library's loggers on."""

    def emit(self, record: logging.LogRecord) -> None:
        bound = logger.bind(logger=record.name)
        bound.opt(exception=record.exc_info).log(record.levelname, record.getMessage())
