"""What is allowed, as a gate finds it out: TUF's client with TUF's order of checks, unchanged (specification §5), over a source of ours.

The metadata that was believed last lies in a folder of ours, each file replaced durably: a power cut loses none of what defends
against going back. What TUF calls time is the gate's, which never goes back either.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tuf.api import exceptions
from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from gate.fleet.updates.sources import Source
from gate.fleet.updates.targets import MOST_TARGET, UpdateError
from pki.durable import read_file, write_file
from pki.errors import PkiError

_WORK = ".work-"
_BASE = "source:"
"""Addresses begin so, and lead to no network."""
_LIMITS = UpdaterConfig(targets_max_length=16 << 20, snapshot_max_length=1 << 20, max_root_rotations=64, max_delegations=8)
"""A fleet of 3,000 gates has targets of some megabytes."""
MOST_METADATA = 16 << 20


class _Fetcher(FetcherInterface):
    def __init__(self, source: Source) -> None:
        self._source = source

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._source.chunks(url.removeprefix(_BASE))
        except FileNotFoundError:
            raise exceptions.DownloadHTTPError(f"{url}: there is none", 404) from None
        except OSError as error:
            raise exceptions.DownloadError(f"{url}: {error}") from error


class Allowed:
    """What is allowed now; for as long as :meth:`Client.session` lasts."""

    def __init__(self, updater: Updater) -> None:
        self._updater = updater

    def find(self, path: str) -> TargetFile | None:
        """None where it is not allowed, or no more. Raises UpdateError where that cannot be told."""
        with _told():
            return self._updater.get_targetinfo(path)

    def is_newest(self, path: str, file: Path) -> bool:
        """Whether ``file`` holds just what is allowed as ``path``. Raises UpdateError as :meth:`find`."""
        info = self.find(path)
        return info is not None and self._updater.find_cached_target(info, str(file)) is not None

    def fetch(self, path: str) -> Path:
        """A file with its octets, every one as allowed, until the session ends. Raises UpdateError."""
        info = self.find(path)
        if info is None:
            raise UpdateError("not_allowed", f"{path} is not allowed, or no more")
        if info.length > MOST_TARGET:
            raise UpdateError("oversized", f"{path} has {info.length} bytes")
        with _told():
            return Path(self._updater.download_target(info))


class Client:
    """For one gate, and one thread at a time."""

    def __init__(self, folder: Path, root: bytes, source: Source, now: Callable[[], datetime]) -> None:
        """``folder`` keeps what is believed; ``root``: the root of trust that this gate was given by hand, any version of it."""
        self._folder, self._root, self._source, self._now = folder, root, source, now

    @contextmanager
    def session(self) -> Iterator[Allowed]:
        """Ask what is allowed now. Raises UpdateError; then what was believed before is still there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_WORK}*"):
            shutil.rmtree(left, ignore_errors=True)  # of a session that lost its power
        with TemporaryDirectory(dir=self._folder, prefix=_WORK) as work:
            metadata, targets, trusted = Path(work, "metadata"), Path(work, "targets"), self._folder / "trusted"
            trusted.mkdir(exist_ok=True)
            targets.mkdir()
            shutil.copytree(trusted, metadata, copy_function=os.link)  # TUF's client replaces files, and writes into none
            try:
                with _told():
                    updater = self._updater(metadata, targets)
                    updater.refresh()
            finally:
                self._keep(metadata)  # TUF lays down nothing but what it believes
            allowed = Allowed(updater)
            try:
                yield allowed
            finally:
                self._keep(metadata)  # of roles that targets delegate to

    def _updater(self, metadata: Path, targets: Path) -> Updater:
        updater = Updater(
            str(metadata),
            f"{_BASE}metadata/",
            str(targets),
            f"{_BASE}targets/",
            _Fetcher(self._source),
            _LIMITS,
            bootstrap=self._root,
        )
        # There is no other way to say what time it is, and the machine's clock may have been set back.
        updater._trusted_set.reference_time = self._now()  # noqa: SLF001
        return updater

    def _keep(self, metadata: Path) -> None:
        """Roots first: what follows is believed because of them."""
        kept = self._folder / "trusted"
        for name in ("root_history", "."):
            for path in sorted((metadata / name).glob("*.json")) if (metadata / name).is_dir() else ():
                if path.is_symlink():
                    continue  # names the newest root, which TUF's client finds by itself
                (kept / name).mkdir(parents=True, exist_ok=True)
                _replace(kept / name / path.name, path.read_bytes())


def _replace(path: Path, content: bytes) -> None:
    try:
        unchanged = read_file(path, MOST_METADATA) == content
    except PkiError:
        unchanged = False
    if not unchanged:
        write_file(path, content)


@contextmanager
def _told() -> Iterator[None]:
    """What TUF's client raises, as UpdateError. Of two that fit the first is told."""
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        raise UpdateError("expired", str(error)) from None
    except exceptions.BadVersionNumberError as error:
        raise UpdateError("rolled_back", str(error)) from None
    except exceptions.UnsignedMetadataError as error:
        raise UpdateError("not_signed", str(error)) from None
    except exceptions.LengthOrHashMismatchError as error:
        raise UpdateError("altered", str(error)) from None
    except exceptions.DownloadLengthMismatchError as error:
        raise UpdateError("oversized", str(error)) from None
    except exceptions.DownloadError as error:
        raise UpdateError("unreachable", str(error)) from None
    except (exceptions.RepositoryError, ValueError, RecursionError) as error:
        raise UpdateError("malformed", str(error)) from None
    except OSError as error:
        raise UpdateError("disk", str(error)) from None
