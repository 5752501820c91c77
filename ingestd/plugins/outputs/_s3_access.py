"""What the options of the output ``s3`` say about the bucket: whether they are possible, and how it is accessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ingestd.plugins.outputs._s3_options import Options
from ingestd.plugins.registry import OptionError
from ingestd.stores.object_store import S3Access

_BUCKET_RULES = (
    "a name has 3 to 63 lowercase letters, digits, dots and hyphens, and starts and ends with a letter or digit; other "
    "servers than Amazon's need endpoint, and buckets of us-east-1 with an older name force_path_style"
)


def _check_bucket(opts: Options) -> None:
    if not opts.bucket or set("/%{} ") & set(opts.bucket):
        raise OptionError(f"{opts.bucket!r} is not a bucket name", opts.bucket, "write folders into prefix")
    if not opts.is_bucket_possible():
        raise OptionError(f"Amazon S3 has no bucket named {opts.bucket!r}", opts.bucket, _BUCKET_RULES)


def check_options(opts: Options) -> None:
    """Raise OptionError for options that contradict each other, or that S3 cannot follow."""
    _check_bucket(opts)
    if opts.endpoint and urlsplit(opts.endpoint).scheme not in {"http", "https"}:
        raise OptionError("endpoint is not a URL", opts.endpoint, "write one like https://minio.example.org:9000")
    if bool(opts.access_key_id) != bool(opts.secret_access_key):
        raise OptionError("access_key_id and secret_access_key must be given together", opts.access_key_id)
    if opts.session_token and not opts.access_key_id:
        raise OptionError("session_token belongs to access_key_id", "", "give both, or neither")
    if unknown := opts.additional_settings.keys() - {"force_path_style"}:
        raise OptionError(f"additional_settings has no {min(unknown)!r}", min(unknown), "only force_path_style")
    if opts.size_file < 1 or opts.time_file <= 0:
        raise OptionError("size_file and time_file are above 0", "", "choose with rotation_strategy which counts")
    if opts.max_local_bytes < opts.size_file:
        raise OptionError("max_local_bytes is at least size_file", str(opts.max_local_bytes))
    if opts.upload_workers_count < 1:
        raise OptionError("upload_workers_count is 1 or more", str(opts.upload_workers_count))
    if opts.ssekms_key_id and not (opts.server_side_encryption and opts.server_side_encryption_algorithm == "aws:kms"):
        hint = 'set server_side_encryption => true and server_side_encryption_algorithm => "aws:kms"'
        raise OptionError("ssekms_key_id has no effect", opts.ssekms_key_id, hint)
    if opts.canned_acl != "private":
        hint = "leave it out, and let the policy of the bucket say who may read its objects"
        raise OptionError(f"canned_acl {opts.canned_acl!r} is not offered", opts.canned_acl, hint)
    if opts.temporary_directory and not Path(opts.temporary_directory).is_absolute():
        raise OptionError(
            "temporary_directory must be absolute: the daemon's working folder is not yours", opts.temporary_directory
        )


def access(opts: Options) -> S3Access:
    """Return the credentials of the options, and how requests are made."""
    credentials = {"access_key_id": opts.access_key_id, "secret_access_key": opts.secret_access_key}
    if opts.session_token:
        credentials["token"] = opts.session_token
    config: dict[str, Any] = {}
    path_style = opts.additional_settings.get("force_path_style", "true" if opts.endpoint else "false").lower()
    if path_style != "true":
        config["virtual_hosted_style_request"] = True
        if opts.endpoint:
            parts = urlsplit(opts.endpoint)
            config["endpoint"] = f"{parts.scheme}://{opts.bucket}.{parts.netloc}"
    if opts.server_side_encryption:
        config["server_side_encryption"] = opts.server_side_encryption_algorithm
    if opts.ssekms_key_id:
        config["sse_kms_key_id"] = opts.ssekms_key_id
    return S3Access(credentials if opts.access_key_id else {}, config, opts.proxy_uri)
