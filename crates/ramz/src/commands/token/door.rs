//! The way to a bank's app door: TLS whose certificate is checked, or this machine's own loopback.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::http::Uri;
use ramz_api::client::Http;
use ramz_api::net::Connector;

use crate::system::tcp::TcpConnector;
use crate::system::tls::CheckedTls;

/// A whole call. A person waits for it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The way to a door; nothing is sent yet.
pub(super) fn way(url: &str, ca_file: Option<&Path>) -> anyhow::Result<Http> {
    let uri: Uri =
        url.parse().ok().context("the bank's address is no URL: write https://app.bank.example")?;
    let host = uri.host().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let connector: Arc<dyn Connector> = match uri.scheme_str() {
        Some("https") => Arc::new(CheckedTls::trusting(ca_file)?),
        Some("http") if loopback => Arc::new(TcpConnector),
        Some("http") => anyhow::bail!(
            "card numbers go to {host} only over TLS: write https://. Plain http is for localhost"
        ),
        _ => anyhow::bail!("the bank's address must begin with https://, or be http://localhost"),
    };
    Ok(Http::new(connector, url, TIMEOUT)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        format!("{:#}", way(url, None).map(drop).unwrap_err())
    }

    #[tokio::test]
    async fn plain_http_is_for_this_machine() {
        for url in ["http://localhost:8723", "http://127.0.0.1:1", "http://[::1]:1/"] {
            way(url, None).unwrap();
        }
        for url in
            ["http://bank.example", "http://localhost.bank.example", "http://127.0.0.1.bank.example:80"]
        {
            assert!(refused(url).contains("write https://"), "{url}");
        }
        for url in ["localhost:8723", "ftp://localhost", "bank.example", ""] {
            assert!(refused(url).contains("https://"), "{url}");
        }
        assert!(refused("http://localhost:1/app").contains("without a user or a path"));
    }

    #[tokio::test]
    async fn an_authority_that_cannot_be_read_is_named() {
        let error = way("https://bank.example", Some(Path::new("nowhere.pem"))).map(drop).unwrap_err();
        assert!(format!("{error:#}").contains("nowhere.pem"), "{error:#}");
    }
}
