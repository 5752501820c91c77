"""Excerpts of a config in errors show no values of options: they end up in logs and bug reports."""

import pytest

from ingestd.config.errors import ConfigErrors, mask_values
from ingestd.config.parser import parse

LINES = [  # id, line, where the mistake is, excerpt
    ("other_option", 'pasword => "hunter2"', "pasword", 'pasword => "***"'),
    ("before_the_mistake", "a => 'hunter2' b", "b", "a => '*******' b"),
    ("at_the_mistake", 'codec => "jsn"', '"jsn"', 'codec => "jsn"'),
    ("secret_at_the_mistake", 'api_key => "a:b"', '"a:b"', 'api_key => "***"'),
    ("word", "password => hunter2 }", "password", "password => *** }"),
    ("word_of_no_secret", "port => 5959 x", "x", "port => 5959 x"),
    ("hash", '{ "Authorization" => "Bearer abc" }', "{", '{ "Authorization" => "***" }'),
    ("no_end", 'password => "hunter2', "password", 'password => "***"'),
    ("list", 'hosts => ["http://u:pw@h", "x"] foo', "foo", 'hosts => ["*************", "*"] foo'),
    ("escaped", r'password => "a\"b" x', "x", 'password => "****" x'),
    ("of_another_option", 'api_key => "***" codec => "jsn"', '"jsn"', 'api_key => "***" codec => "jsn"'),
    (
        "of_another_block",
        'a { password => "***" } b { c => "jsn" }',
        '"jsn"',
        'a { password => "***" } b { c => "jsn" }',
    ),
    ("a_text_that_sounds_so", 'columns => ["a key"] x => "y"', '"y"', 'columns => ["*****"] x => "y"'),
    ("a_name_that_only_looks_so", 'keywords => { "author" => "jsn" }', '"jsn"', 'keywords => { "author" => "jsn" }'),
    ("in_a_secret_hash", 'headers => { "a" => "}" "b" => "jsn" }', '"jsn"', 'headers => { "a" => "*" "b" => "***" }'),
    ("in_a_secret_array", 'cloud_auth => ["jsn"]', '"jsn"', 'cloud_auth => ["***"]'),
    ("camel_case", '{ "accessToken" => "jsn" }', '"jsn"', '{ "accessToken" => "***" }'),
    ("key_file", 'ssl_key => "/ab"', '"/ab"', 'ssl_key => "***"'),
    ("of_an_option_without_secrets", 'path => "/ab" x => "y" z', "z", 'path => "/ab" x => "*" z'),
    ("in_a_hash_without_secrets", 'match => { "a" => "%{IP:b}" } x', "x", 'match => { "a" => "%{IP:b}" } x'),
    ("a_secret_key_in_such_a_hash", 'match => { "password" => "ab" } x', "x", 'match => { "password" => "**" } x'),
    ("a_login_in_such_an_option", 'path => "http://u:p@h" x', "x", 'path => "************" x'),
    ("condition", 'if [a] == "b" {', "if", 'if [a] == "b" {'),
]


@pytest.mark.parametrize(("line", "mistake", "excerpt"), [row[1:] for row in LINES], ids=[row[0] for row in LINES])
def test_excerpt(line: str, mistake: str, excerpt: str) -> None:
    assert mask_values(line, line.rindex(mistake) + 1, len(mistake)) == excerpt


@pytest.mark.parametrize(
    "line", ['pasword => "hunter2"', 'password => "hunter2" oops', "password => hunter2", 'password => "hunter2']
)
def test_an_error_shows_no_password(line: str) -> None:
    text = "output {\n  elasticsearch {\n    " + line + "\n  }\n}\noops"
    with pytest.raises(ConfigErrors) as caught:
        parse(text, "my.conf", {})
    assert "hunter2" not in caught.value.render()
