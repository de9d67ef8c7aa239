#!/usr/bin/env python3
"""Writes the cases of the importer's differential test, and what hurl itself says of each.

    scripts/hurl-verdicts.py [path of hurl]

Needs hurl 8. Writes harness/tests/data/hurl/cases.hurl and verdicts.json; the test compares the imported scenarios
with them, and needs no hurl. A verdict is `pass`, `fail N` (N is the entry that fails, from 1) or `refused`.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "harness/tests/data/hurl"
SERVER = ROOT / "harness/tests/subjects/everything.py"
BASE = "http://127.0.0.1:8765"  # written into the cases; the test runs them elsewhere

cases = []


def case(group, *entries):
    number = sum(1 for name, _ in cases if name.startswith(group + "-")) + 1
    cases.append((f"{group}-{number}", "\n".join(entries)))


def ask(group, path, line):
    case(group, f"GET {BASE}{path}\nHTTP 200\n[Asserts]\n{line}")


def queries():
    """Each query with predicates that hold and that do not, of values of every type."""
    path = lambda name: f'jsonpath "$.{name}"'
    values = {
        path("name"): ['"ann"', '"Ann"', '"an"', "3", "null", "true", "/^a/", "hex,616e6e;"],
        path("empty"): ['""', '" "', "0"],
        path("n"): ["3", "3.0", "2", "4", '"3"', "-3"],
        path("f"): ["1.5", "1", "2", '"1.5"'],
        path("whole"): ["2", "2.0", "3"],
        path("big"): ["12345678901234567890", "12345678901234567891", "1"],
        path("none"): ["null", '""', "0", "false"],
        path("yes"): ["true", "false", '"true"', "1"],
        path("strings"): ['"a"', '"c"', "1"],
        path("list"): ["1", "4", '"1"'],
        path("nothing"): ['"a"', "1", "null"],
        path("obj"): ['"a"', "1"],
        path("absent"): ['"a"', "null", "1"],
        "status": ["200", "201", '"200"', "200.0"],
        "body": ['"ann"'],
        "bytes": ["hex,7b;", '"{"'],
        'header "Content-Type"': ['"application/json"', '"text/html"', '"application"'],
        'header "Absent"': ['"a"'],
        "duration": ["100000"],
    }
    for query, candidates in values.items():
        for value in candidates:
            for operator in ["==", "!=", ">", ">=", "<", "<=", "startsWith", "endsWith", "contains", "includes", "matches"]:
                for negation in ["", "not "]:
                    ask("predicate", "/json", f"{query} {negation}{operator} {value}")
    kinds = ["isInteger", "isFloat", "isNumber", "isBoolean", "isString", "isCollection", "isList", "isObject", "isDate", "isIsoDate", "exists", "isEmpty", "isIpv4", "isIpv6", "isUuid"]
    names = ["name", "empty", "n", "f", "whole", "big", "none", "yes", "list", "nothing", "obj", "blank", "date", "offset", "day", "uuid", "ip4", "ip6", "absent"]
    for query in [path(name) for name in names] + ["bytes", "sha256", 'xpath "//li"']:
        for kind in kinds:
            for negation in ["", "not "]:
                ask("kind", "/html" if "xpath" in query else "/json", f"{query} {negation}{kind}")


def paths():
    for line in [
        '"$" exists', '"$.items[*].id" == 1', '"$.items[*].id" contains 2', '"$.items[*].id" count == 2', '"$.one[*].id" == 7',
        '"$.one[*].id" count == 1', '"$.items[?(@.price>10)].id" == 2', '"$.items[?(@.price>1)].id" count == 2',
        '"$.items[?@.tag==\'a\'].price" == 9.5', '"$..id" count == 3', '"$..kind" == "x"', '"$.list[0]" == 1', '"$.list[-1]" == 3',
        '"$.list[0:2]" count == 2', '"$.list[0:1]" == 1', '"$[\'name\']" == "ann"', '"$.list[9]" not exists', '"$.list[9]" exists',
        '"$.list[*]" includes 2', '"$.obj.b.c[0]" == true', '"$.absent[*]" not exists', '"$.absent" count == 0', '"$.name.x" not exists',
        '"$.items" count == 2', '"$.items[0].tag" == "a"', '"$.items[0,1].id" count == 2', '"$.*" count > 5', '"$.nothing[*]" not exists',
        '"$.obj" count == 2', '"$.name" count == 3', '"$.none" exists', '"$.none" == null', '"$.none" count == 0', '"name" == "ann"', '"$.items[" exists',
        '"$.greeting" == "Hello, w\\u{f6}rld"', '"$.greeting" endsWith "w\\u{f6}rld"', '"$.lines" == "one\\ntwo"',
        '"$.one[0]" isObject', '"$.one[0].id" isInteger', '"$.one" isList', '"$.one[?(@.id==7)]" isObject', '"$.one[?(@.id==8)]" not exists',
    ]:
        ask("jsonpath", "/json", f"jsonpath {line}")
    ask("jsonpath", "/text", 'jsonpath "$.a" exists')
    ask("jsonpath", "/text", 'jsonpath "$.a" not exists')
    for line in [
        '"//li" count == 2', '"//li" exists', '"//nav" exists', '"//nav" not exists', '"//nav" count == 0', '"string(//h1)" == "Things"',
        '"string(//h1/@class)" == "big"', '"string(//title)" == "Shop & more"', '"//li[1]/text()" exists', '"count(//li)" == 2',
        '"count(//li)" == 2.0', '"boolean(//li)" == true', '"boolean(//nav)" == false', '"number(//b)" == 12', '"//li" == 2', '"string(//li[@id=\'first\'])" == "Mug"',
        '"normalize-space(//p)" == "Sum: 12"', '"//li" isCollection', '"//li" isEmpty', '"//nav" isEmpty', '"//li[" exists', '"string(//nav)" == ""',
        '"string(//nav)" exists', '"string(//li[last()])" contains "u"', '"starts-with(//h1, \'Th\')" == true', '"//h1" matches /Th/',
    ]:
        ask("xpath", "/html", f"xpath {line}")
    for line in [
        '"//item" count == 2', '"string(/shop/item[2])" == "Cup"', '"string(/shop/@open)" == "yes"', '"sum(//item/@n)" == 3', '"//Item" exists',
        '"string(//item[@n=\'1\'])" == "Mug"', '"number(//sum) > 11" == true', '"name(/*)" == "shop"', '"string-length(//item[1])" == 3',
    ]:
        ask("xpath", "/xml", f"xpath {line}")
    ask("xpath", "/text", 'xpath "//a" not exists')
    for line in ['"id=(\\\\d+)" == "42"', '/id=(\\d+)/ == "42"', '/id=(\\d+)/ toInt == 42', '/id=\\d+/ exists', '/nope(.)/ not exists', '/nope(.)/ == "a"', '/(?i)HELLO(,)/ == ","', '"[" exists', '/^Hello, (\\w+)! id/ startsWith "wor"', '/id=(?P<n>\\d)/ == "4"', '/(x)?Hello/ exists', '/(x)?Hello/ not exists']:
        ask("regex", "/text", f"regex {line}")


def responses():
    for line in [
        'header "X-One" == "1"', 'header "x-one" == "1"', 'header "X-One" toInt == 1', 'header "X-One" == 1', 'header "X-Many" count == 2',
        'header "X-Many" includes "b"', 'header "X-Many" contains "b"', 'header "X-Many" == "a"', 'header "X-One" count == 1', 'header "X-Many" nth 1 == "b"',
        'header "X-None" not exists', 'header "X-None" exists', 'header "X-Empty" exists', 'header "X-Empty" == ""', 'header "X-Empty" isEmpty',
        'header "X-Date" matches /^\\d{4}-\\d\\d-\\d\\d$/', 'header "X-Token" regex /t=(\\w+)/ == "abc"', 'header "X-Token" split "; " count == 2',
        'body == "ok"', 'body == "OK"', 'body contains "k"', 'body count == 2', 'bytes count == 2', 'bytes == hex,6f6b;', 'bytes == base64,b2s=;',
        'bytes startsWith hex,6f;', 'bytes endsWith hex,6b;', 'bytes contains hex,6f6b;', 'bytes contains hex,ff;', 'rawbytes == hex,6f6b;',
        'sha256 == hex,2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df;', 'sha256 == hex,00;', 'sha256 toHex startsWith "2689"',
        'md5 == hex,444bcb3a3fcf8389296c49467f27e1d6;', 'md5 toHex == "444bcb3a3fcf8389296c49467f27e1d6"', 'md5 == hex,01;', 'sha256 count == 32',
        'status == 200', 'status >= 200', 'status < 300', 'status toString == "200"', 'status matches /2/', 'version == "1.1"', 'version == "HTTP/1.1"', 'version startsWith "1"', 'version == "2"',
        'version toFloat >= 1.0', f'url == "{BASE}/headers"', 'url endsWith "/headers"', 'url contains "nope"', 'ip == "127.0.0.1"', 'ip isIpv4', 'ip not isIpv6', 'redirects count == 0',
        'redirects isEmpty', 'redirects nth 0 location == "x"', 'duration < 60000', 'duration isInteger', 'duration > 60000', 'certificate "Subject" not exists', 'certificate "Subject" exists',
        'variable "nothing" not exists', 'variable "nothing" exists',
    ]:
        ask("response", "/headers", line)
    for line in [
        '"session" exists', '"session" == "abc123"', '"session[Value]" == "abc123"', '"session[Path]" == "/app"', '"session[Max-Age]" == 3600', '"session[Max-Age]" == "3600"',
        '"session[Secure]" exists', '"session[HttpOnly]" exists', '"theme[Secure]" not exists', '"theme[Secure]" exists', '"session[SameSite]" == "Lax"', '"session[samesite]" == "lax"',
        '"session[Domain]" == "localhost"', '"session[Expires]" not exists', '"old[Expires]" exists', '"old[Expires]" dateFormat "%Y" == "2015"', '"old[Expires]" isDate', '"old[Expires]" daysBeforeNow > 365',
        '"theme" == "dark"', '"theme" == "light"', '"theme[Path]" exists', '"empty" == ""', '"empty" isEmpty', '"none" not exists', '"none" exists', '"none[Path]" not exists', '"session[Nope]" exists',
    ]:
        ask("cookie", "/cookies", f"cookie {line}")
    for line in ['bytes startsWith hex,efbbbf;', 'bytes count == 7', 'bytes contains hex,00ff;', 'bytes == base64,77u/aGkA/w==;', 'bytes nth 0 == 239', 'body exists', 'body contains "hi"', 'bytes isEmpty', 'bytes toHex == "efbbbf686900ff"', 'bytes base64Encode == "77u/aGkA/w=="', 'bytes base64UrlSafeEncode == "77u_aGkA_w"', 'bytes utf8Decode exists']:
        ask("bytes", "/bytes", line)
    for line in ['body == "caf\\u{e9}"', 'bytes decode "iso-8859-1" == "caf\\u{e9}"', 'bytes charsetDecode "latin1" == "caf\\u{e9}"', 'bytes decode "nonsense" == "x"', 'bytes utf8Decode == "caf\\u{e9}"', 'bytes count == 4', 'body count == 4']:
        ask("charset", "/latin", line)
    for line in ['body == "squeezed"', 'bytes count == 8', 'rawbytes startsWith hex,1f8b;', 'rawbytes count == 8', 'header "Content-Encoding" == "gzip"', 'sha256 toHex startsWith "a"']:
        ask("compressed", "/gzip", line)
        case("compressed", f"GET {BASE}/gzip\n[Options]\ncompressed: true\nHTTP 200\n[Asserts]\n{line}")
    case("empty", f"GET {BASE}/empty\nHTTP 204\n[Asserts]\nbody == \"\"\nbytes count == 0\nbody isEmpty")
    case("empty", f"GET {BASE}/empty\nHTTP 204\n[Asserts]\njsonpath \"$.a\" not exists")


def filters():
    field = lambda name, rest: ask("filter", "/json", f'jsonpath "$.{name}" {rest}')
    for name, rest in [
        ("b64", 'base64Decode == hex,68656c6c6f;'), ("b64", 'base64Decode utf8Decode == "hello"'), ("b64", 'base64Decode utf8Decode == "help"'), ("name", "base64Decode exists"), ("n", "base64Decode exists"),
        ("b64url", 'base64UrlSafeDecode == hex,ffef;'), ("b64url", 'base64UrlSafeDecode toHex == "ffef"'), ("b64url", 'base64Decode exists'),
        ("name", 'utf8Encode base64Encode == "YW5u"'), ("name", "base64Encode exists"), ("name", 'utf8Encode base64UrlSafeEncode == "YW5u"'), ("name", 'utf8Encode toHex == "616e6e"'), ("n", "utf8Encode exists"),
        ("list", "count == 3"), ("list", "count == 2"), ("nothing", "count == 0"), ("name", "count == 3"), ("n", "count == 1"), ("obj", "count == 2"), ("absent", "count == 0"), ("absent", "not count == 0"),
        ("date", 'toDate "%Y-%m-%dT%H:%M:%SZ" exists'), ("date", 'toDate "%+" isDate'), ("date", 'toDate "%+" dateFormat "%d/%m" == "06/05"'), ("date", 'toDate "%+" format "%A" == "Monday"'),
        ("date", 'toDate "%+" daysBeforeNow > 500'), ("date", 'toDate "%+" daysAfterNow < 0'), ("date", 'toDate "%+" daysAfterNow > 0'), ("day", 'toDate "%Y-%m-%d" exists'), ("date", 'toDate "%Y" exists'), ("n", 'toDate "%Y" exists'),
        ("offset", 'toDate "%+" dateFormat "%H" == "05"'), ("name", 'dateFormat "%Y" exists'), ("date", 'toDate "%Y-%m-%dT%H:%M:%S%Z" dateFormat "%Y" == "2024"'),
        ("list", "first == 1"), ("list", "last == 3"), ("strings", 'first == "a"'), ("nothing", "first exists"), ("nothing", "first not exists"), ("nothing", "last not exists"), ("name", "first exists"),
        ("list", "nth 0 == 1"), ("list", "nth 2 == 3"), ("list", "nth -1 == 3"), ("list", "nth 9 == 1"), ("list", "nth 9 not exists"), ("name", "nth 0 == \"a\""), ("list", "nth x == 1"),
        ("html", 'htmlUnescape == "<b>& \\"q\\"</b>"'), ("html", 'htmlEscape startsWith "&lt;b&gt;&amp;amp; "'), ("escaped", 'htmlUnescape == "<b> \\u{e9}"'), ("n", "htmlEscape exists"), ("html", 'htmlEscape contains "&quot;q&quot;"'),
        ("inner", 'jsonpath "$.a[1]" == 2'), ("inner", 'jsonpath "$.a" count == 2'), ("inner", 'jsonpath "$.b" not exists'), ("name", 'jsonpath "$.b" not exists'), ("obj", 'jsonpath "$.a" == 1'), ("inner", 'jsonpath "$.a[*]" count == 2'),
        ("url", 'urlQueryParam "a" == "1"'), ("url", 'urlQueryParam "b" == "two words"'), ("url", 'urlQueryParam "c" not exists'), ("url", 'urlQueryParam "c" exists'), ("name", 'urlQueryParam "c" not exists'),
        ("greeting", 'regex /Hello, (.)/ == "w"'), ("greeting", 'regex "(w.rld)" == "w\\u{f6}rld"'), ("greeting", 'regex /Hello/ exists'), ("greeting", 'regex /(nope)/ not exists'), ("n", 'regex /(3)/ exists'),
        ("greeting", 'replace "Hello" "Bye" == "Bye, w\\u{f6}rld"'), ("greeting", 'replace "l" "" == "Heo, w\\u{f6}rd"'), ("n", 'replace "3" "4" exists'), ("greeting", 'replaceRegex /l+/ "L" == "HeLo, w\\u{f6}rLd"'),
        ("greeting", 'replaceRegex /(H)(e)/ "$2$1" startsWith "eHllo"'), ("greeting", 'replaceRegex "[aeiou]" "*" startsWith "H*ll*"'), ("greeting", 'replace "nope" "x" startsWith "Hello"'),
        ("words", 'split "," count == 4'), ("words", 'split "," nth 2 == ""'), ("words", 'split "," includes "two"'), ("words", 'split ", " count == 1'), ("n", 'split "," exists'), ("words", 'split "," first == "one"'), ("words", 'split "," nth 1 count == 3'),
        ("number", "toInt == 42"), ("number", "toInt isInteger"), ("fraction", "toInt == 3"), ("f", "toInt == 1"), ("name", "toInt exists"), ("yes", "toInt exists"), ("n", "toInt == 3"), ("number", "toFloat == 42.0"), ("number", "toFloat isFloat"),
        ("fraction", "toFloat == 3.25"), ("fraction", "toFloat > 3.2"), ("name", "toFloat exists"), ("n", "toFloat isFloat"), ("n", 'toString == "3"'), ("f", 'toString == "1.5"'), ("yes", 'toString == "true"'), ("none", 'toString == "null"'), ("name", 'toString == "ann"'),
        ("list", "toString exists"), ("whole", 'toString == "2.0"'), ("big", 'toString == "12345678901234567890"'), ("n", "toHex exists"), ("name", "toHex exists"),
        ("spaced", 'urlEncode == "a%20b/c%3Fd%3D%C3%A9"'), ("spaced", 'urlEncode urlDecode == "a b/c?d=\\u{e9}"'), ("url", 'urlDecode endsWith "two words"'), ("n", "urlEncode exists"),
        ("xml", 'xpath "//i" count == 2'), ("xml", 'xpath "string(//i[2])" == "2"'), ("xml", 'xpath "//j" not exists'), ("html", 'xpath "string(//b)" == "& \\"q\\""'), ("n", 'xpath "//i" exists'), ("name", 'xpath "//i" not exists'),
        ("name", "location exists"), ("name", 'nope exists'), ("words", 'split "," nth 0 utf8Encode base64Encode == "b25l"'), ("items", 'nth 1 == 2'), ("name", 'decode "utf-8" exists'), ("greeting", 'utf8Encode count == 13'), ("greeting", 'utf8Encode decode "utf-8" endsWith "rld"'),
    ]:
        field(name, rest)


def bodies():
    for body, path in [
        ('{"a": 1, "b": [true, null]}', "/exact"), ('{"a":1,"b":[true,null]}', "/exact"), ('{"b": [true, null], "a": 1}', "/exact"), ('{"a": 1, "b": [true, null]} ', "/exact"),
        ("```json\n{\"a\": 1, \"b\": [true, null]}\n```", "/exact"), ('`{"a": 1, "b": [true, null]}`', "/exact"), ("`landed`", "/landed"), ("`Landed`", "/landed"), ("```\nlanded\n```", "/landed"), ("```\nlanded```", "/landed"),
        ("hex,6c616e646564;", "/landed"), ("hex,6c;", "/landed"), ("base64,bGFuZGVk;", "/landed"), ("base64, bGFu ZGVk ;", "/landed"), ("```\nHello, world! id=42 id=43\n```", "/text"), ("```raw\nHello, world! id=42 id=43\n```", "/text"),
        ("hex, EFBBBF686900FF;", "/bytes"), ("`caf\\u{e9}`", "/latin"), ('<?xml version="1.0" encoding="UTF-8"?>\n<shop open="yes"><item n="1">Mug</item><item n="2">Cup</item><sum>12</sum></shop>', "/xml"),
        ('```xml\n<?xml version="1.0" encoding="UTF-8"?>\n<shop open="yes"><item n="1">Mug</item><item n="2">Cup</item><sum>12</sum></shop>\n```', "/xml"), ("file,fixture.txt;", "/landed"), ("file,other.txt;", "/landed"),
    ]:
        case("expected-body", f"GET {BASE}{path}\nHTTP 200\n{body}")
    sent = lambda request, checks: case("request", f"{request}\nHTTP 200\n[Asserts]\n" + "\n".join(checks))
    said = lambda text: f'jsonpath "$.body" == {text}'
    post = f"POST {BASE}/echo\n"
    sent(post + '{ "a": 1, "b": "x" }', ['jsonpath "$.headers[\'content-type\'][0]" == "application/json"', 'jsonpath "$.body" jsonpath "$.b" == "x"'])
    sent(post + '{ "a": 1.50, "a": 2 }', ['jsonpath "$.body" contains "1.50"'])
    sent(post + "[]", ['jsonpath "$.headers[\'content-type\'][0]" == "application/json"', said('"[]"')])
    sent(post + '"text"', [said('"\\"text\\""')])
    sent(post + "12", [said('"12"')])
    sent(post + "`plain`", [said('"plain"'), 'jsonpath "$.headers[\'content-type\']" not exists'])
    sent(post + "```\nplain\n```", [said('"plain\\n"'), 'jsonpath "$.headers[\'content-type\']" not exists'])
    sent(post + "```json\n{}\n```", ['jsonpath "$.headers[\'content-type\'][0]" == "application/json"', said('"{}\\n"')])
    sent(post + "```xml\n<a/>\n```", ['jsonpath "$.headers[\'content-type\'][0]" == "application/xml"'])
    sent(post + "<a><b x='>'/></a>", ['jsonpath "$.headers[\'content-type\'][0]" == "application/xml"', said('"<a><b x=\'>\'/></a>"')])
    sent(post + "```raw\n{{x}}\n```", [said('"\\u{7b}\\u{7b}x}}\\n"')])
    sent(post + "```graphql\nquery Q { a }\nvariables { \"x\": 1 }\n```", ['jsonpath "$.body" jsonpath "$.query" == "query Q { a }"', 'jsonpath "$.body" jsonpath "$.variables.x" == 1', 'jsonpath "$.headers[\'content-type\'][0]" == "application/json"'])
    sent(post + "```graphql\n{ a }\n```", ['jsonpath "$.body" jsonpath "$.query" == "{ a }"', 'jsonpath "$.body" jsonpath "$.variables" not exists'])
    sent(post + "hex,00ff;", ['jsonpath "$.length" == 2', 'jsonpath "$.headers[\'content-type\']" not exists'])
    sent(post + "base64,aGk=;", [said('"hi"')])
    sent(post + "file,fixture.txt;", [said('"landed"')])
    sent(post + "[Form]\na: 1 2\nb: x&y\na: 3", [said('"a=1%202&b=x%26y&a=3"'), 'jsonpath "$.headers[\'content-type\'][0]" == "application/x-www-form-urlencoded"'])
    sent(post + "[Form]\na: 1", [said('"a=1"'), 'jsonpath "$.headers[\'content-type\'][0]" == "application/x-www-form-urlencoded"'])
    sent(post + "[FormParams]\na: ", [said('"a="')])
    sent(post + "[Multipart]\na: 1\nf: file,fixture.txt; text/css\ng: file,fixture.txt;", ['jsonpath "$.headers[\'content-type\'][0]" == "multipart/form-data; boundary=BOUNDARY"', 'jsonpath "$.body" contains "name=\\"a\\""', 'jsonpath "$.body" contains "filename=\\"fixture.txt\\""', 'jsonpath "$.body" contains "Content-Type: text/css"', 'jsonpath "$.body" contains "Content-Type: text/plain"', 'jsonpath "$.body" contains "landed"'])
    get = f"GET {BASE}/echo"
    sent(get + "?x=1\n[Query]\na: 1 2\na: 3\nb: {}", ['jsonpath "$.query" startsWith "x=1&a=1%202"', 'jsonpath "$.query" contains "a=3"'])
    sent(get + "\n[QueryStringParams]\na: \u00e9", ['jsonpath "$.query" == "a=%C3%A9"'])
    sent(get + "\nX-Many: 1\nX-Many: 2", ['jsonpath "$.headers[\'x-many\']" count == 2', 'jsonpath "$.headers[\'x-many\'][1]" == "2"'])
    sent(get + "\nX-One: a \\u{23} b # comment", ['jsonpath "$.headers[\'x-one\'][0]" == "a # b"'])
    sent(get + "\nAccept: text/x", ['jsonpath "$.headers.accept[0]" == "text/x"'])
    sent(get + "\n[Cookies]\na: b\nc: d", ['jsonpath "$.headers.cookie[0]" == "a=b; c=d"'])
    sent(get + "\n[BasicAuth]\nann: s:e", ['jsonpath "$.headers.authorization[0]" == "Basic YW5uOnM6ZQ=="'])
    sent(get + "\n[Options]\nuser: ann:s:e", ['jsonpath "$.headers.authorization[0]" == "Basic YW5uOnM6ZQ=="'])
    sent(get + "\n[Options]\nheader: X-One: two", ['jsonpath "$.headers[\'x-one\'][0]" == "two"'])
    sent(get + "\n[Options]\nhttp1.0: true", ['jsonpath "$.version" == "HTTP/1.0"'])
    sent(get + "\n[Options]\nhttp1.1: true\nverbose: true\ncompressed: true", ['jsonpath "$.version" == "HTTP/1.1"', 'jsonpath "$.headers[\'accept-encoding\'][0]" contains "gzip"'])
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"]:
        sent(f"{method} {BASE}/echo", [f'jsonpath "$.method" == "{method}"'])
    case("request", f"HEAD {BASE}/text\nHTTP 200\n[Asserts]\nbody == \"\"")
    case("request", f"GET {BASE}/private\n[BasicAuth]\nann: s:e\nHTTP 200")
    case("request", f"GET {BASE}/private\n[BasicAuth]\nann: wrong\nHTTP 200")


def statuses_and_options():
    for line in ["HTTP 200", "HTTP 404", "HTTP *", "HTTP/1.1 404", "HTTP/1.0 404", "HTTP/2 404", "HTTP/1.1 *", "HTTP 4040"]:
        case("status", f"GET {BASE}/nothing\n{line}")
    case("status", f"GET {BASE}/nothing")
    case("status", f"GET {BASE}/nothing\n\nGET {BASE}/text\nHTTP 200\n\nGET {BASE}/text\nHTTP 201\n\nGET {BASE}/text")
    for header in ["X-One: 1", "x-one: 1", "X-One: 2", "X-Many: a", "X-Many: b", "X-Many: c", "X-Many: a\nX-Many: b", "X-Many: b\nX-Many: c", "X-None: 1", "X-Empty:", "Content-Type: text/plain", "Content-Type: text"]:
        case("header", f"GET {BASE}/headers\nHTTP 200\n{header}")
    case("header", f"GET {BASE}/cookies\nHTTP 200\nSet-Cookie: theme=dark")
    case("header", f"GET {BASE}/cookies\nHTTP 200\nSet-Cookie: theme")
    follow = lambda options, rest: case("redirect", f"GET {BASE}/redirect/3\n[Options]\n{options}\n{rest}")
    case("redirect", f"GET {BASE}/redirect/3\nHTTP 302\nLocation: /redirect/2")
    follow("location: true", "HTTP 200\n`landed`")
    follow("location: true", f'HTTP 200\n[Asserts]\nredirects count == 3\nredirects nth 0 location == "{BASE}/redirect/2"\nurl == "{BASE}/landed"')
    follow("location: true", 'HTTP 200\n[Asserts]\nredirects last location endsWith "/landed"\nurl endsWith "/redirect/3"')
    follow("location: false", "HTTP 200")
    follow("location: true\nmax-redirs: 3", "HTTP 200")
    follow("location: true\nmax-redirs: 2", "HTTP 200")
    follow("location: true\nmax-redirs: 0", "HTTP 302")
    follow("location: true\nmax-redirs: -1", "HTTP 200")
    follow("location-trusted: true", "HTTP 200")
    case("retry", f"GET {BASE}/flaky?key=@@&failures=2\n[Options]\nretry: 2\nretry-interval: 1ms\nHTTP 200\n[Asserts]\njsonpath \"$.tried\" == 3")
    case("retry", f"GET {BASE}/flaky?key=@@&failures=3\n[Options]\nretry: 2\nretry-interval: 1ms\nHTTP 200")
    case("retry", f"GET {BASE}/flaky?key=@@&failures=1\n[Options]\nretry: 0\nHTTP 200")
    case("retry", f"GET {BASE}/flaky?key=@@&failures=0\n[Options]\nretry: 5\nHTTP 200\n[Asserts]\njsonpath \"$.tried\" == 1")
    case("retry", f"GET {BASE}/flaky?key=@@&failures=2\n[Options]\nrepeat: 2\nHTTP 503\n\nGET {BASE}/flaky?key=@@&failures=2\nHTTP 200")
    case("retry", f"GET {BASE}/flaky?key=@@&failures=1\n[Options]\nrepeat: 2\nHTTP 503")
    case("skip", f"GET {BASE}/nothing\n[Options]\nskip: true\nHTTP 200\n\nGET {BASE}/text\nHTTP 200")
    case("skip", f"GET {BASE}/nothing\n[Options]\nrepeat: 0\nHTTP 200\n\nGET {BASE}/text\nHTTP 201")
    case("delay", f"GET {BASE}/text\n[Options]\ndelay: 5ms\nHTTP 200")
    case("timeout", f"GET {BASE}/slow?ms=2000\n[Options]\nmax-time: 100ms\nHTTP 200")
    case("timeout", f"GET {BASE}/slow?ms=1\n[Options]\nmax-time: 10s\nconnect-timeout: 10s\nHTTP 200")
    case("cookies", f"GET {BASE}/login\nHTTP 200\n\nGET {BASE}/echo\nHTTP 200\n[Asserts]\njsonpath \"$.headers.cookie[0]\" == \"user=ann\"")
    case("cookies", f"GET {BASE}/echo\nHTTP 200\n[Asserts]\njsonpath \"$.headers.cookie\" exists")


def captures():
    take = lambda query, then: case("capture", f"GET {BASE}/json\nHTTP 200\n[Captures]\nx: {query}\n\nGET {BASE}/echo\nX-One: {{{{x}}}}\nHTTP 200\n[Asserts]\n{then}")
    one = lambda text: f'jsonpath "$.headers[\'x-one\'][0]" == "{text}"'
    for query, text in [
        ('jsonpath "$.name"', "ann"), ('jsonpath "$.n"', "3"), ('jsonpath "$.f"', "1.5"), ('jsonpath "$.whole"', "2.0"), ('jsonpath "$.yes"', "true"), ('jsonpath "$.one[*].id"', "7"), ('jsonpath "$.list" count', "3"),
        ("status", "200"), ('header "Content-Type"', "application/json"), ('body regex /"f": ([0-9.]+)/', "1.5"), ('jsonpath "$.words" split "," nth 1', "two"), ('jsonpath "$.name" redact', "ann"), ('jsonpath "$.absent"', "x"),
        ('jsonpath "$.n" redact', "3"), ('jsonpath "$.big"', "12345678901234567890"), ('jsonpath "$.url" urlQueryParam "b"', "two words"), ('version', "1.1"), ('jsonpath "$.number" toInt', "42"), ("sha256 toHex regex /^(.)/", "x"),
    ]:
        take(query, one(text))
    for line in ['variable "x" == "ann"', 'variable "x" == "bob"', 'jsonpath "$.name" == {{x}}', 'jsonpath "$.name" == "{{x}}"', 'jsonpath "$.name" == "{{x}}x"', 'variable "x" isString', 'jsonpath "$.name" startsWith "{{x}}"']:
        case("capture", f"GET {BASE}/json\nHTTP 200\n[Captures]\nx: jsonpath \"$.name\"\n[Asserts]\n{line}")
        case("capture", f"GET {BASE}/json\nHTTP 200\n[Captures]\nx: jsonpath \"$.name\"\n\nGET {BASE}/json\nHTTP 200\n[Asserts]\n{line}")
    for line in ['jsonpath "$.n" == {{x}}', 'jsonpath "$.n" == "{{x}}"', 'jsonpath "$.n" > {{x}}', 'jsonpath "$.n" >= {{x}}', 'variable "x" isInteger', 'jsonpath "$.list" includes {{x}}', 'jsonpath "$.list" nth {{x}} exists', 'jsonpath "$.list[{{x}}]" not exists', 'jsonpath "$.number" toInt > {{x}}']:
        case("capture", f"GET {BASE}/json\nHTTP 200\n[Captures]\nx: jsonpath \"$.n\"\n\nGET {BASE}/json\nHTTP 200\n[Asserts]\n{line}")
    case("capture", f"GET {BASE}/json\nHTTP 200\n[Captures]\nx: jsonpath \"$.n\"\ns: jsonpath \"$.name\"\n\nPOST {BASE}/echo\n{{ \"n\": {{{{x}}}}, \"t\": \"{{{{x}}}}\", \"s\": \"a {{{{s}}}}\" }}\nHTTP 200\n[Asserts]\njsonpath \"$.body\" jsonpath \"$.n\" == 3\njsonpath \"$.body\" jsonpath \"$.t\" == \"3\"\njsonpath \"$.body\" jsonpath \"$.s\" == \"a ann\"")
    case("capture", f"GET {BASE}/json\nHTTP 200\n[Captures]\nx: jsonpath \"$.n\"\nx: jsonpath \"$.name\"\n\nGET {BASE}/json\nHTTP 200\n[Asserts]\nvariable \"x\" == \"ann\"")
    case("capture", f"GET {BASE}/redirect/1\nHTTP 302\n[Captures]\nnext: header \"Location\"\n\nGET {BASE}{{{{next}}}}\nHTTP 200\n`landed`")
    case("variable", f"GET {BASE}/echo?q={{{{v}}}}\n[Options]\nvariable: v=7\nHTTP 200\n[Asserts]\njsonpath \"$.query\" == \"q=7\"\nvariable \"v\" == 7")
    case("variable", f"GET {BASE}/echo?q={{{{v}}}}\n[Options]\nvariable: v=\"7\"\nHTTP 200\n[Asserts]\nvariable \"v\" == \"7\"\n\nGET {BASE}/echo?q={{{{v}}}}\nHTTP 200\n[Asserts]\njsonpath \"$.query\" == \"q=7\"")
    case("variable", f"GET {BASE}/echo\n[Options]\nvariable: v=a b # c\nHTTP 200\n[Asserts]\nvariable \"v\" == \"a b\"\n\nGET {BASE}/echo\n[Options]\nvariable: v=2\nHTTP 200\n[Asserts]\nvariable \"v\" == 2\nvariable \"v\" == \"a b\"")
    case("variable", f"GET {BASE}/echo?q={{{{nobody}}}}\nHTTP 200")
    case("variable", f"GET {BASE}/echo\nX-One: {{{{newUuid}}}}\nHTTP 200\n[Asserts]\njsonpath \"$.headers['x-one'][0]\" isUuid")


def grammar():
    """What hurl reads and what it refuses."""
    for text in [
        "", "# only a comment\n", f"GET {BASE}/text\n\n\n# end", f"  GET   {BASE}/text   # comment\n\tHTTP\t200  # too", f"GET {BASE}/text\r\nHTTP 200\r\n[Asserts]\r\nstatus == 200\r\n", f"get {BASE}/text", "GET", f"GET {BASE}/text\nHTTP",
        f"GET {BASE}/text\nHTTP abc", f"GET {BASE}/text\nHTTP/9 200", f"GET {BASE}/text\n[Nope]\n", f"GET {BASE}/text\nHTTP 200\n[Options]\nretry: 1", f"GET {BASE}/text\n[Query]\na: 1\n[Query]\nb: 2", f"GET {BASE}/text\n[Query]\na: 1\n[QueryStringParams]\nb: 2",
        f"GET {BASE}/text\nHTTP 200\n[Asserts]\nstatus is 200", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nstatus ==", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody == \"a", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody == \"\\q\"", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nnope == 1",
        f"GET {BASE}/text\n[Options]\nnope: 1", f"GET {BASE}/text\n[Options]\nretry: many", f"GET {BASE}/text\n[Options]\nlocation: maybe", f"GET {BASE}/text\n[Options]\ndelay: 1y", f"POST {BASE}/echo\n{{\"a\": }}", f"POST {BASE}/echo\n{{\"a\": 1,}}", f"POST {BASE}/echo\n```nope\nx\n```",
        f"POST {BASE}/echo\nhex,0;", f"POST {BASE}/echo\n`a", f"GET {BASE}/{{{{}}}}", f"GET {BASE}/{{{{a", f"GET {BASE}/text\nHTTP 200\n[Captures]\nx: nope", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody matches /(/", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody contains /a/",
        f"GET {BASE}/text\nHTTP 200\n[Asserts]\nstatus startsWith 2", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nstatus > true", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody startsWith \"Hello\" # comment\nbody  contains\t\"id\"", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody contains `Hello`",
        f"GET {BASE}/text\nHTTP 200\n[Asserts]\nbody == ```\nHello, world! id=42 id=43\n```", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nstatus==200", f"GET {BASE}/text\nHTTP 200\n[Asserts]\nnot status == 200", f"GET {BASE}/text\nX-One 1", f"GET {BASE}/text HTTP 200",
    ]:
        case("grammar", text)


def record(hurl, folder):
    verdicts = {}
    for number, (name, text) in enumerate(cases):
        file = pathlib.Path(folder, f"{name}.hurl")
        file.write_bytes(text.replace("@@", f"hurl-{number}").encode())
        done = subprocess.run([hurl, "--json", "--no-color", file], capture_output=True, timeout=60)
        if done.returncode not in (0, 2, 3, 4):
            sys.exit(f"{name}: hurl ended with {done.returncode}: {done.stderr.decode()}")
        if done.returncode == 2:
            verdicts[name] = "refused"
        elif done.returncode == 0:
            verdicts[name] = "pass"
        else:
            entries = json.loads(done.stdout)["entries"] if done.stdout.strip() else []
            verdicts[name] = f"fail {max((entry['index'] for entry in entries), default=1)}"
    return verdicts


def main():
    for add in [queries, paths, responses, filters, bodies, statuses_and_options, captures, grammar]:
        add()
    hurl = sys.argv[1] if len(sys.argv) > 1 else "hurl"
    port = BASE.rsplit(":", 1)[1]
    server = subprocess.Popen([sys.executable, SERVER], env={**os.environ, "PORT": port})
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            time.sleep(0.01)
        DATA.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "fixture.txt").write_text("landed")
            pathlib.Path(folder, "other.txt").write_text("other")
            verdicts = record(hurl, folder)
    finally:
        server.kill()
    (DATA / "cases.hurl").write_bytes("".join(f"#### {name}\n{text}\n" for name, text in cases).encode())
    (DATA / "verdicts.json").write_text(json.dumps(verdicts, indent=0) + "\n")
    print(f"{len(cases)} cases:", {kind: sum(1 for v in verdicts.values() if v.startswith(kind)) for kind in ["pass", "fail", "refused"]})


if __name__ == "__main__":
    main()
