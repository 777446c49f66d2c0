"""Who asks: API keys and signed tokens.

In: a credential as a door's wire carries it.  Out: a `Caller` with its limits, or
`Unauthenticated`.  Knows no wire.  On the event loop's thread; nothing here takes longer than the
check of one signature.

Keys are known by their SHA-256 and nothing slower: a key is 256 random bits, which nobody guesses
however fast they can be tried, and a hash that is slow on purpose would let anybody keep the
service busy with wrong keys.  It does not help who reads the hashes either: no key follows from
one.
"""

import hashlib
import hmac
import ipaddress
import secrets as random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.exceptions import InvalidSubjectError
from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts.config import AccessConfig, ConfigError, JwtConfig, Secrets
from tts.context import ANYONE, Caller
from tts.errors import Unauthenticated

MAX_CREDENTIAL_CHARS = 8192
"""A longer one is neither a key nor a token that anybody signs."""

MAX_NAME_CHARS = 128

LEEWAY_S = 30
"""How far the clock of whoever signs tokens may be from ours."""

MIN_SECRET_BYTES = 32
"""RFC 7518, 3.2: a secret for HS256 has at least the bits of its hash."""

MIN_RSA_BITS = 2048
"""RFC 7518, 3.3."""

REREAD_S = 5.0
"""How often a changed file of the public key is looked for."""

OPERATOR = "env:PARLEY_TOKEN"
"""Name of the caller with that key.  No key of the configuration can be called so, nor a token's
subject, whose name begins with "jwt:": callers' jobs and limits are theirs by name."""


class _Limits(BaseModel):
    """The claim `parley` of a token.  Whoever misspells a limit shall hear of it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    max_streams: Annotated[int | None, Field(ge=1, le=4096)] = None
    may_manage: bool = False


class Access:
    """The keys and tokens of one configuration."""

    def __init__(
        self,
        config: AccessConfig,
        secrets: Secrets,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises `ConfigError` when tokens cannot be checked as configured."""
        self._keys: list[tuple[bytes, Caller]] = [
            (
                bytes.fromhex(key.sha256),
                Caller(key.name, key.requests_per_minute, key.max_streams, key.may_manage),
            )
            for key in config.keys
        ]
        if secrets.token is not None:
            self._keys.append((_digest(secrets.token), Caller(OPERATOR)))
        self._tokens = None
        if config.jwt.algorithm:
            self._tokens = Tokens(config.jwt, secrets.jwt_secret, clock)

    @property
    def is_open(self) -> bool:
        """Whether there are no keys and no tokens: whoever can connect may do everything."""
        return not self._keys and self._tokens is None

    def caller(self, credential: str | None) -> Caller:
        """Whose credential it is.  Where access is open, any will do, and none.

        Raises `Unauthenticated`, which says what is wrong and nothing of what would be right.
        """
        if self.is_open:
            return ANYONE
        if not credential:
            raise Unauthenticated("a key is needed, as `Authorization: Bearer KEY`")
        if len(credential) > MAX_CREDENTIAL_CHARS:
            raise Unauthenticated(f"a key has at most {MAX_CREDENTIAL_CHARS} characters")
        digest = _digest(credential)
        found: Caller | None = None
        # All are compared, each in the same time, so that time tells nothing of any.
        for known, caller in self._keys:
            if hmac.compare_digest(known, digest):
                found = caller
        if found is not None:
            return found
        if self._tokens is not None and credential.count(".") == 2:
            return self._tokens.caller(credential)
        raise Unauthenticated("the key is not valid")


class Tokens:
    """Checks JSON Web Tokens (RFC 7519) by one algorithm and one key, whatever they say themselves
    of algorithms and keys (RFC 8725, 3.1)."""

    def __init__(
        self, config: JwtConfig, secret: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises `ConfigError` naming what is missing."""
        self._config = config
        self._clock = clock
        self._key: Any = None
        self._version: tuple[int, ...] = ()
        self._look_s = clock() + REREAD_S
        if config.algorithm == "HS256":
            if secret is None:
                raise ConfigError(
                    "access.jwt.algorithm = 'HS256': needs the secret in PARLEY_JWT_SECRET"
                )
            if len(secret.encode()) < MIN_SECRET_BYTES:
                raise ConfigError(
                    f"PARLEY_JWT_SECRET has {len(secret.encode())} bytes; at least "
                    f"{MIN_SECRET_BYTES} are needed"
                )
            self._key = secret.encode()
        elif config.public_key is None:
            raise ConfigError(f"access.jwt.public_key: missing, {config.algorithm} needs it")
        else:
            self._version = _version(config.public_key)
            self._key = _read_public_key(config.public_key, config.algorithm)

    def caller(self, token: str) -> Caller:
        """Whose token it is.  Raises `Unauthenticated`."""
        self._reread()
        config = self._config
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[config.algorithm],
                issuer=config.issuer or None,
                audience=config.audience or None,
                leeway=LEEWAY_S,
                options={"require": ["exp", "sub"], "verify_aud": bool(config.audience)},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Unauthenticated(f"the token is not valid: {_reason(error)}") from error
        return Caller(_name(claims["sub"]), **_limits(claims.get("parley", {})))

    def _reread(self) -> None:
        """Read the public key again if its file has changed; one that is no key changes nothing."""
        path = self._config.public_key
        if self._config.algorithm == "HS256" or path is None or self._clock() < self._look_s:
            return
        self._look_s = self._clock() + REREAD_S
        try:
            version = _version(path)
            if version == self._version:
                return
            self._key = _read_public_key(path, self._config.algorithm)
            self._version = version
        except ConfigError as error:
            logger.bind(error=str(error)).error("public key not read again, the last one stays")
        else:
            logger.bind(path=str(path)).info("public key read again")


def bearer(authorization: str | None) -> str | None:
    """The credential in a header `Authorization` (RFC 6750); None without one.

    Raises `Unauthenticated` for another scheme.
    """
    if authorization is None or not authorization.strip():
        return None
    scheme, _, credential = authorization.strip().partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the header Authorization must be `Bearer KEY`")
    return credential.strip() or None


def check_address(address: str, access: Access) -> None:
    """Without keys and tokens, only what this machine alone can reach may be served.

    `address` is "host:port" or "unix:/path".  Raises `ConfigError`.
    """
    if address.startswith("unix:") or not access.is_open:
        return
    host = address.rpartition(":")[0].removeprefix("[").removesuffix("]")
    if not _is_loopback(host):
        raise ConfigError(
            f"address = {address!r}: without access.keys, access.jwt and PARLEY_TOKEN only "
            "loopback addresses and Unix sockets are served; `parley tts key NAME` makes a key"
        )


def new_key() -> str:
    """A key nobody has: 256 random bits behind a prefix that tells secret scanners what it is."""
    return f"parley_{random.token_urlsafe(32)}"


def key_table(name: str, key: str) -> str:
    """What has to stand under `access.keys` for a key.  Raises `ConfigError` for a bad name."""
    try:
        AccessConfig.model_validate({"keys": [{"name": name, "sha256": _digest(key).hex()}]})
    except ValidationError as error:
        raise ConfigError(
            f"name = {name!r}: allowed are 1 to 64 letters, digits and any of _ . @ -"
        ) from error
    return f'name = "{name}"\nsha256 = "{_digest(key).hex()}"\n'


def _digest(credential: str) -> bytes:
    # Bytes that were no UTF-8 reach here as surrogates: they are as wrong as any other key.
    return hashlib.sha256(credential.encode(errors="surrogatepass")).digest()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _version(path: Path) -> tuple[int, ...]:
    """Changes when the file does.  Raises `ConfigError`."""
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"access.jwt.public_key = {str(path)!r}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_size, found.st_ino


def _read_public_key(path: Path, algorithm: str) -> Any:
    """The key in a PEM file.  Raises `ConfigError` for one that the algorithm cannot use."""
    said = f"access.jwt.public_key = {str(path)!r}"
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{said}: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{said}: is no public key in PEM") from error
    fits = {
        "RS256": isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS,
        "ES256": isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1",
        "EdDSA": isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey),
    }
    if not fits[algorithm]:
        raise ConfigError(
            f"{said}: {algorithm} needs {_NEEDS[algorithm]}, this is another kind of key"
        )
    return key


_NEEDS = {
    "RS256": f"an RSA key of at least {MIN_RSA_BITS} bits",
    "ES256": "a key on the curve P-256",
    "EdDSA": "an Ed25519 or Ed448 key",
}


def _reason(error: Exception) -> str:
    """What is wrong with a token, in our words: the library's may quote what a stranger sent."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "it cannot be read"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (jwt.InvalidSignatureError, "its signature is wrong"),
    (jwt.InvalidAlgorithmError, "it is signed in another way than is configured"),
    (jwt.InvalidAudienceError, "its `aud` is another"),
    (jwt.InvalidIssuerError, "its `iss` is another"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (InvalidSubjectError, "its `sub` must be a string"),
    (jwt.MissingRequiredClaimError, "it needs the claims `exp`, `sub` and those configured"),
)


def _name(subject: str) -> str:
    """What a subject is called.  Names stand in logs and metrics: one line, and not without end."""
    if not subject or len(subject) > MAX_NAME_CHARS or not subject.isprintable():
        raise Unauthenticated(
            f"the token is not valid: its `sub` must be 1 to {MAX_NAME_CHARS} printable characters"
        )
    return f"jwt:{subject}"


def _limits(claim: object) -> dict[str, Any]:
    try:
        return _Limits.model_validate(claim).model_dump()
    except ValidationError as error:
        raise Unauthenticated(
            "the token is not valid: its claim `parley` must be an object with some of "
            f"{', '.join(_Limits.model_fields)}, each as for a key"
        ) from error
