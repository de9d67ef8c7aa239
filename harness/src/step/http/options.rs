//! How a step connects: TLS, proxy, names, sockets, version.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    beside::Beside,
    client::Connection,
    file::{ConnectFile, HttpVersion, TlsFile},
    payload::beside,
};
use crate::{
    scenario::Lower,
    step::Halt,
    text::{RenderError, Scope, Text},
};

#[derive(Debug)]
pub(super) struct Options {
    pub(super) version: Option<HttpVersion>,
    insecure: bool,
    ca: Option<Beside>,
    cert: Option<Beside>,
    key: Option<Beside>,
    proxy: Option<Text>,
    resolve: Vec<Text>,
    unix_socket: Option<Text>,
    timeout: Option<Duration>,
}

impl Options {
    pub(super) fn lower(
        version: Option<HttpVersion>,
        tls: TlsFile,
        connect: ConnectFile,
        timeout: Option<Duration>,
        lower: &mut Lower<'_>,
    ) -> Self {
        let mut file = |name: Option<Text>| name.map(|name| beside(name, lower));
        Self {
            version,
            insecure: tls.insecure,
            ca: file(tls.ca),
            cert: file(tls.cert),
            key: file(tls.key),
            proxy: connect.proxy,
            resolve: connect.resolve,
            unix_socket: connect.unix_socket,
            timeout,
        }
    }

    pub(super) fn fill(&self, scope: &Scope) -> Result<Connection, Halt> {
        let path = |file: &Option<Beside>| file.as_ref().map(|file| file.path(scope)).transpose();
        let text = |text: &Option<Text>| text.as_ref().map(|text| scope.text(text)).transpose();
        let resolve = self.resolve.iter().map(|text| resolved(text, &scope.text(text)?));
        Ok(Connection {
            protocol: HttpVersion::protocol(self.version),
            insecure: self.insecure,
            ca: path(&self.ca)?,
            cert: path(&self.cert)?,
            key: path(&self.key)?,
            proxy: text(&self.proxy)?,
            resolve: resolve.collect::<Result<_, RenderError>>()?,
            unix_socket: text(&self.unix_socket)?.map(PathBuf::from),
            timeout: self.timeout,
            ..Connection::default()
        })
    }
}

/// `host:port:address`, as curl has it.
fn resolved(written: &Text, text: &str) -> Result<(String, SocketAddr), RenderError> {
    let read = || {
        let (host, rest) = text.split_once(':')?;
        let (port, address) = rest.split_once(':')?;
        let address = address.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        Some((host.to_owned(), SocketAddr::new(address, port.parse().ok()?)))
    };
    read().ok_or_else(|| {
        let message = format!("`{text}` does not say where a name leads; write host:port:address");
        RenderError { place: written.place, message }
    })
}
