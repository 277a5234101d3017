//! What the tap is told of the app's door: which call, and how it was answered. Of bodies and proofs it is told nothing: halves of
//! codes, card numbers and control codes stand in them.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use ramz_api::tap::{Fact, SharedTap};

/// Tells a call before it is made and its answer after it. A path is told as the document has it, without what stands in it.
pub(super) async fn told(tap: SharedTap, bank: String, request: Request, next: Next) -> Response {
    if !tap.watches() {
        return next.run(request).await;
    }
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let tell = |from: &str, to: &str, title: String| {
        let (from, to) = (from.to_owned(), to.to_owned());
        tap.tell(Fact { from, to, wire: "HTTP", title, fields: Vec::new() });
    };
    tell("phone", &bank, format!("{} {path}", request.method()));
    let response = next.run(request).await;
    tell(&bank, "phone", format!("{} {path}", response.status().as_u16()));
    response
}
