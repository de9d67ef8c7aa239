//! From an `http` step as it is written to one that runs; everything that is wrong with it is said.

use std::time::Duration;

use reqwest::Method;

use super::{
    Http,
    exchange::Follow,
    file::{HttpFile, RedirectLimits, RedirectWord, RedirectsFile},
    options::Options,
    payload::Body,
    request::{Auth, Draft},
};
use crate::{
    scenario::{Expect, LintCode, Lower},
    step::{
        Step,
        capture::CaptureRule,
        document::{Around, check_document_rules},
    },
    text::{Entries, Placed, Text},
};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
const TIMEOUT_MAX: Duration = Duration::from_mins(5);
const REDIRECTS_DEFAULT: u16 = 10;
const REDIRECTS_MAX: u16 = 100; // every hop is in the evidence

pub(super) fn lower(
    mut file: Placed<HttpFile>,
    expect: Placed<Expect>,
    captures: Entries<CaptureRule>,
    lower: &mut Lower<'_>,
) -> Box<dyn Step> {
    check_document_rules(&expect, &captures, Around::Response, lower);
    for limit in expect.certificate.iter().flat_map(|certificate| certificate.unknown_limits()) {
        let message = format!("unknown limit `{}`, expected one of gt, gte, lt, lte", limit.value);
        lower.refuse(LintCode::BadExpectation, limit.place, message);
    }
    let body = Body::lower(&mut file, lower);
    let (method, path) = target(&file, lower);
    let auth = auth(&mut file, lower);
    if let Some(RedirectsFile::Limits(RedirectLimits { max: Some(max), .. })) = file.redirects
        && max > REDIRECTS_MAX
    {
        lower.refuse(LintCode::BadLimit, file.place, format!("at most {REDIRECTS_MAX} redirects can be followed"));
    }
    let file = file.value;
    let timeout = lower.period(file.timeout.as_ref(), TIMEOUT_DEFAULT, TIMEOUT_MAX);
    let connect_timeout = file.connect_timeout.as_ref().map(|period| lower.period(Some(period), timeout, TIMEOUT_MAX));
    let (tls, connect) = (file.tls.unwrap_or_default(), file.connect.unwrap_or_default());
    Box::new(Http {
        options: Options::lower(file.http_version, tls, connect, connect_timeout, lower),
        follow: file.redirects.and_then(follow),
        jar: file.cookie_jar,
        draft: Draft {
            method,
            path,
            headers: file.headers,
            query: file.query,
            cookies: file.cookies,
            body,
            auth,
            compressed: file.compressed,
        },
        timeout,
        expect: expect.value,
        captures,
    })
}

fn target(file: &Placed<HttpFile>, lower: &mut Lower<'_>) -> (Method, Text) {
    let mut methods = methods(file, lower);
    if methods.len() != 1 {
        let hint = "exactly one of get, post, put, patch, delete, head and options, with a path; or `method` and `url`";
        lower.refuse_with(LintCode::StepKind, file.place, format!("{} methods are given", methods.len()), hint);
    }
    let nothing = || (Method::GET, Text { value: "/".to_owned(), place: file.place });
    let (method, path) = methods.pop().unwrap_or_else(nothing);
    let is_absolute = path.starts_with("http://") || path.starts_with("https://");
    if !path.starts_with('/') && !path.starts_with("{{") && !is_absolute {
        let hint = "start it with `/`; an absolute URL starts with `http://` or `https://`";
        lower.refuse_with(LintCode::BadPath, path.place, "the path is relative to the subject", hint);
    }
    (method, path)
}

fn methods(file: &HttpFile, lower: &mut Lower<'_>) -> Vec<(Method, Text)> {
    let all = [
        (Method::GET, &file.get),
        (Method::POST, &file.post),
        (Method::PUT, &file.put),
        (Method::PATCH, &file.patch),
        (Method::DELETE, &file.delete),
        (Method::HEAD, &file.head),
        (Method::OPTIONS, &file.options),
    ];
    let mut found: Vec<_> =
        all.into_iter().filter_map(|(method, path)| path.clone().map(|path| (method, path))).collect();
    match (&file.method, &file.url) {
        (None, None) => {}
        (Some(method), Some(url)) => match Method::from_bytes(method.as_bytes()) {
            Ok(parsed) => found.push((parsed, url.clone())),
            Err(_) => {
                lower.refuse(LintCode::StepKind, method.place, format!("`{}` is no method", method.value));
            }
        },
        (Some(one), None) | (None, Some(one)) => {
            lower.refuse(LintCode::StepKind, one.place, "`method` and `url` belong together");
        }
    }
    found
}

fn auth(file: &mut Placed<HttpFile>, lower: &mut Lower<'_>) -> Auth {
    match (file.value.basic_auth.take(), file.value.bearer.take()) {
        (None, None) => Auth::None,
        (Some(basic), None) => Auth::Basic { user: basic.user, password: basic.password },
        (None, Some(token)) => Auth::Bearer(token),
        (Some(_), Some(token)) => {
            lower.refuse(LintCode::StepKind, token.place, "a request has one of basic_auth and bearer");
            Auth::Bearer(token)
        }
    }
}

fn follow(file: RedirectsFile) -> Option<Follow> {
    let RedirectLimits { max, trusted } = match file {
        RedirectsFile::Word(RedirectWord::Off) => return None,
        RedirectsFile::Word(RedirectWord::Follow) => RedirectLimits { max: None, trusted: false },
        RedirectsFile::Limits(limits) => limits,
    };
    Some(Follow { max: max.unwrap_or(REDIRECTS_DEFAULT).into(), trusted })
}
