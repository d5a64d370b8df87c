//! One attempt: a request goes out, and all of its answer comes back, in time.

use crate::errors::{Failure, Kind};
use crate::headers;
use crate::options::Options;
use crate::rate_limit::Limits;
use crate::secret::ApiKey;
use examiner_api::{ErrorCode, PluginError, Result};
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Url};
use std::net::IpAddr;
use std::time::Duration;

/// Longer answers are not what was asked for.
const LONGEST_ANSWER: usize = 64 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A server that understands us.
pub(crate) struct Http {
    client: Client,
    base: Url,
    key: Option<ApiKey>,
}

/// A server's response.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    /// For how long the server asks to wait.
    pub(crate) wait_s: Option<f64>,
    pub(crate) limits: Limits,
    /// Without the key, even if the server repeats it.
    pub(crate) body: String,
    pub(crate) content_type: Option<String>,
}

impl Http {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let base = address(&options.base_url)?;
        let key = options.api_key_env.as_deref().map(ApiKey::from_environment).transpose()?;
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            let mut value = header(&format!("Bearer {}", key.reveal()), "the key")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(organization) = &options.organization {
            headers.insert("openai-organization", header(organization, "`organization`")?);
        }
        // The plugin brings its own provider of cryptography. An error only says that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("examiner/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            // The key goes to this server alone.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(options.max_concurrency);
        // A proxy cannot reach this machine itself.
        let builder = if is_loopback(&base) { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| {
            PluginError::new(ErrorCode::Network, "cannot set up encrypted connections")
                .with_cause(&error.without_url())
                .with_help("check that certificates are installed (`ca-certificates`), or name them in `SSL_CERT_FILE`")
        })?;
        Ok(Http { client, base, key })
    }

    /// Whether the key would travel where others can read it.
    pub(crate) fn shows_key(&self) -> bool {
        self.key.is_some() && self.base.scheme() == "http" && !is_loopback(&self.base)
    }

    /// The server, for people and for identities.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Sends `body` to `path` and reads the whole answer within `timeout`, which a server cannot stretch by sending one
    /// byte now and then.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>, timeout: Duration) -> Result<HttpResponse, Failure> {
        let url = format!("{}/{path}", self.base());
        match tokio::time::timeout(timeout, self.exchange(&url, body)).await {
            Ok(done) => done,
            Err(_) => {
                let message = format!("`{url}` did not answer within {:.3} s", timeout.as_secs_f64());
                Err(Failure::new(Kind::Passing { may_be_charged: true }, ErrorCode::Timeout, message))
            }
        }
    }

    async fn exchange(&self, url: &str, body: Vec<u8>) -> Result<HttpResponse, Failure> {
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let mut response = request.send().await.map_err(|error| broken(url, "cannot reach", error))?;
        let status = response.status().as_u16();
        let wait_s = headers::retry_after(response.headers(), Timestamp::now());
        let limits = headers::limits(response.headers());
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(url, "lost the answer of", error))? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Failure::unreadable(format!("`{url}` sends more than {LONGEST_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let body = self.redact(String::from_utf8_lossy(&body).into_owned());
        Ok(HttpResponse { status, wait_s, limits, body, content_type })
    }

    /// The text without the key.
    pub(crate) fn redact(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.redact(text),
            None => text,
        }
    }
}

fn header(text: &str, what: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|_| PluginError::bad_options(format!("{what} holds characters that cannot be sent")))
}

fn address(text: &str) -> Result<Url> {
    let bad = |what: &str| {
        PluginError::bad_options(format!("`base_url` {what}"))
            .with_help("for example `base_url: https://api.openai.com/v1`; a key comes from `api_key_env` alone")
    };
    let url = Url::parse(text).map_err(|error| bad(&format!("cannot be read: {error}")))?;
    match () {
        () if !matches!(url.scheme(), "http" | "https") || !url.has_host() => Err(bad("is no `https://` address")),
        // Such things are often secrets, and addresses stand in logs.
        () if !url.username().is_empty() || url.password().is_some() => Err(bad("holds a user's name or password")),
        () if url.query().is_some() || url.fragment().is_some() => Err(bad("has something behind its path")),
        () => Ok(url),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn broken(url: &str, what: &str, error: reqwest::Error) -> Failure {
    let kind = Kind::Passing { may_be_charged: !error.is_connect() };
    let code = if error.is_timeout() { ErrorCode::Timeout } else { ErrorCode::Network };
    let error = PluginError::new(code, format!("{what} `{url}`")).with_cause(&error.without_url());
    Failure { kind, error }
}
