/** Fields that say the same under several names, as `ingestd/stores/known_fields.py` has them. */

export const LEVEL_FIELDS = ["level", "log.level"];
export const PATH_FIELDS = ["request_path", "url.path"];
export const HOST_FIELDS = ["host.name", "host.hostname", "host", "hostname"];
/** Of a visitor. */
export const ADDRESS_FIELDS = ["client_ip", "geoip.ip", "clientip", "client.ip", "source.ip", "client.address", "source.address"];
