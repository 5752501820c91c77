"""Errors of object stores in words for the user: what failed, without the answer's body and the request's signature."""

from __future__ import annotations

import errno
import re

from ingestd.stores.backups import BackupError, Repository, RepositoryUnavailableError

_STATUS = re.compile(r"status code: (\d{3}) ([A-Z][A-Za-z ]*)")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_PREAMBLE = re.compile(r"^(Generic \w+ error|HTTP error): ")


def error_code(answer: str) -> str:
    """Return S3's name for an error in its answer, such as ``NoSuchBucket``; empty: it has none."""
    code = _CODE.search(answer)
    return code[1] if code else ""


def answer_error(repository: Repository, status: int, phrase: str, code: str) -> BackupError:
    """Return the error for an answer of S3.

    Args:
        repository: Whose bucket it is.
        status: Of HTTP; 200 is possible, as S3 starts to answer before it has finished.
        phrase: The words for the status.
        code: See `error_code`.
    """
    subject, reason = _subject(repository), f" ({code})" if code else ""
    if status == 403:
        return RepositoryUnavailableError(
            f"{subject} denies access{reason}: check the credentials and their permissions"
        )
    if status == 404:
        return BackupError(f"{subject} does not exist{reason}; create it first")
    return RepositoryUnavailableError(f"{subject} answers {status} {phrase}{reason}")


def silence_error(repository: Repository, why: str) -> BackupError:
    """Return the error for an answer that does not come."""
    return RepositoryUnavailableError(f"{_subject(repository)} does not answer: {why}")


def backup_error(error: Exception, repository: Repository) -> BackupError:
    """Return the error for one of the client or of the disk."""
    from obstore import exceptions  # noqa: PLC0415

    subject, text = _subject(repository), str(error)
    found = _STATUS.search(text)
    status, phrase = (int(found[1]), found[2]) if found else (0, "")
    if isinstance(error, exceptions.UnauthenticatedError | exceptions.PermissionDeniedError):
        status = 403
    elif isinstance(error, FileNotFoundError):
        status = 404
    if status in {403, 404}:
        return answer_error(repository, status, phrase, error_code(text))
    if getattr(error, "errno", None) == errno.EROFS or "(os error 30)" in text:  # the latter from Rust
        location = repository.settings.get("location")
        text = f"{subject} is read-only for this process; its systemd unit needs ReadWritePaths={location}"
        return RepositoryUnavailableError(text)
    if isinstance(error, OSError):
        return RepositoryUnavailableError(f"{subject} cannot be used: {error.strerror or error}")
    if isinstance(error, exceptions.GenericError):
        if status:
            return answer_error(repository, status, phrase, error_code(text))
        return silence_error(repository, _first_words(error))
    return BackupError(f"{subject} cannot be used: {_first_words(error)}")


def _subject(repository: Repository) -> str:
    location = repository.settings.get("location") or f"bucket {repository.settings.get('bucket')}"
    return f"repository {repository.name} ({location})" if repository.name else location


def _first_words(error: Exception) -> str:
    """Return the client's message without its usual prefix and without the URL."""
    text = str(error).strip().partition("\n")[0].rpartition(" - ")[2]
    text = _PREAMBLE.sub("", text)
    return text if len(text) <= 200 else text[:200] + "…"
