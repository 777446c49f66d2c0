"""What every test runs under: quiet logs."""

from loguru import logger

logger.remove()
