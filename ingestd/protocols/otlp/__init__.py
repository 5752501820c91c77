"""Logs of OpenTelemetry's protocol, OTLP, as protobuf and as JSON: requests in, answers out.

Follows https://opentelemetry.io/docs/specs/otlp/ and the messages of opentelemetry-proto 1.x
(``opentelemetry/proto/logs/v1/logs.proto``).
"""
