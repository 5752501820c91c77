"""``ingestd migrate``: what a Logstash installation needs to run here.

``installation`` finds the folders and the version, ``report`` says what each line means here, ``settings_file`` writes
``ingestd.toml``.
"""
