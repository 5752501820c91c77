"""The options of the output ``s3``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingestd.event.sprintf import Template
from ingestd.plugins.registry import ignored, option, refused, required

ROTATIONS = ("size_and_time", "size", "time")

_HOURS = "%{+YYYY/MM/dd/HH}"

_BUCKET = re.compile(r"(?!(?:\d+\.){3}\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, without reserved prefixes."""

_OLD_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
"""Buckets of us-east-1 from before March 2018; with such a name only the path style works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the output ``s3``."""

    bucket: str = required("Name of the bucket, which must exist.")
    prefix: Template = option(Template(""), "Folder of the objects; may hold %{field} and %{+YYYY.MM.dd}.")
    partition: str = option(
        _HOURS,
        "Folders below `prefix` by the time of the event, in UTC; not used if `prefix` has a date. Empty: none.",
    )
    region: str = option("us-east-1", "Region of the bucket.")
    endpoint: str = option("", "URL of an S3 server other than Amazon's, such as `https://minio.example.org:9000`.")
    access_key_id: str = option("", "Access key; default: found as by AWS's tools, see docs/s3.md.")
    secret_access_key: str = option("", "Secret access key.")
    session_token: str = option("", "Session token of temporary credentials.")
    additional_settings: dict[str, str] = option(
        {}, "`force_path_style => true`: the bucket is part of the path; default with `endpoint`. No other settings."
    )
    proxy_uri: str = option("", "URL of an HTTP proxy.")
    format: str = option(
        "ndjson",
        "`ndjson`: text, by default a line of JSON for each event; `parquet`: a column for each field, see docs/s3.md.",
        choices=("ndjson", "parquet"),
    )
    encoding: str = option("gzip", "Compression of `ndjson`.", choices=("gzip", "none"))
    rotation_strategy: str = option(
        "size_and_time", "Whether `size_file`, `time_file` or both end an object.", choices=ROTATIONS
    )
    size_file: int = option(64 << 20, "Bytes of text, before compression, after which an object ends.")
    time_file: float = option(15, "Minutes after which an object ends.")
    temporary_directory: str = option(
        "", "Where events are kept until they are uploaded; default: `s3` in the data folder."
    )
    max_local_bytes: int = option(
        1 << 30, "Maximum bytes that each worker keeps on this machine; beyond that, events wait in the journal."
    )
    upload_workers_count: int = option(2, "Concurrent uploads of each worker.")
    upload_multipart_threshold: int = option(15 << 20, "Size in bytes from which an object is uploaded in parts.")
    validate_credentials_on_root_bucket: bool = option(
        True, "Write a test object at the start, in the fixed part of `prefix`, so that a mistake shows at once."
    )
    storage_class: str = option(
        "STANDARD",
        "Storage class of the objects.",
        choices=(
            "STANDARD",
            "REDUCED_REDUNDANCY",
            "STANDARD_IA",
            "ONEZONE_IA",
            "INTELLIGENT_TIERING",
            "GLACIER",
            "DEEP_ARCHIVE",
            "GLACIER_IR",
            "OUTPOSTS",
        ),
    )
    server_side_encryption: bool = option(False, "Let the server encrypt the objects.")
    server_side_encryption_algorithm: str = option("AES256", "The algorithm.", choices=("AES256", "aws:kms"))
    ssekms_key_id: str = option("", "The key for `aws:kms`.")
    canned_acl: str = option("private", "Only `private`; the policy of the bucket says who else may read objects.")

    def folder(self) -> Template:
        """Return the folder of an event's object."""
        has_date = "%{+" in self.prefix.text or "%{{" in self.prefix.text
        parts = [self.prefix.text.strip("/"), "" if has_date else self.partition.strip("/")]
        return Template("/".join(filter(None, parts)))

    def is_bucket_possible(self) -> bool:
        """Return whether Amazon can have a bucket of this name; other servers have their own rules."""
        path_style = self.additional_settings.get("force_path_style", "").lower() == "true"
        is_old = path_style and self.region == "us-east-1" and _OLD_BUCKET.fullmatch(self.bucket)
        return bool(self.endpoint or is_old or _BUCKET.fullmatch(self.bucket))


LEGACY = {
    "restore": ignored("what a crash leaves behind is always uploaded"),
    "upload_queue_size": ignored("max_local_bytes bounds what waits"),
    "retry_count": ignored("uploads are tried again until they succeed"),
    "retry_delay": ignored("uploads are tried again after 1 s, then after longer pauses, up to 15 s"),
    "signature_version": ignored("requests are signed with version 4"),
    "tags": ignored("names of objects do not contain them"),
    "use_aws_bundled_ca": ignored("the certificate authorities of the system are trusted"),
    "use_ssl": ignored("the URL in endpoint decides"),
    "aws_credentials_file": refused("set access_key_id and secret_access_key, or use ~/.aws/credentials"),
    "role_arn": refused("give the role to the machine or container, or set AWS_ROLE_ARN with a web identity"),
    "role_session_name": refused("it belongs to role_arn"),
}
