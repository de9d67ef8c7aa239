//! Static files, embedded in the binary and revalidated by content hash.

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

#[derive(rust_embed::Embed)]
#[folder = "static/"]
struct Static;

pub(crate) async fn serve(Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = Static::get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let etag = etag(&file.metadata.sha256_hash());
    // Always asked again, so that a new binary is never shown with the old one's scripts; mostly answered by 304.
    let caching = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let kind = [(header::CONTENT_TYPE, file.metadata.mimetype().to_owned())];
    (caching, kind, file.data.into_owned()).into_response()
}

/// 64 bits tell two versions of one file apart.
fn etag(sha256: &[u8; 32]) -> String {
    let hex: String = sha256[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
