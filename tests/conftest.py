"""What every test runs under: quiet logs, and no deadlines: machines are shared and noisy."""

from hypothesis import settings
from loguru import logger

logger.remove()
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")
