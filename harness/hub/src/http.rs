//! Requests, redirections, tokens and retries.

use super::address::shown;
use super::errors::cancelled;
use super::record::Record;
use super::settings::Settings;
use super::watched::watched;
use examiner_api::{ErrorCode, Flow, PluginError, Result};
use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

/// The longest pause, even if a server asks for more.
const PAUSE_MAX: Duration = Duration::from_secs(60);
const REDIRECTIONS_MAX: usize = 10;

/// Which redirections to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// To any server.
    All,
    /// Only on the same server: the hub describes a file before it redirects to another server for the content.
    SameServer,
}

/// Why a request failed.
pub(super) enum Failure {
    /// Trying again may help, after the pause that the server asked for.
    Transient(PluginError, Option<Duration>),
    Final(PluginError),
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        Failure::Final(error)
    }
}

/// A client for the hub and other servers.
pub(super) struct Http {
    /// The files that were given.
    pub(super) record: Record,
    endpoint: Url,
    authorization: Option<HeaderValue>,
    attempts: u32,
    pause: Duration,
    /// One with the proxy of the environment, if there is one, and one without a proxy, for this machine itself.
    clients: [OnceLock<Result<Client>>; 2],
}

/// A response, and the headers of the redirections before it, first to last.
pub(super) struct HttpAnswer {
    pub(super) response: Response,
    pub(super) redirections: Vec<HeaderMap>,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let endpoint = Url::parse(&settings.endpoint).ok().filter(Url::has_host).ok_or_else(|| {
            PluginError::bad_options("cannot read the address in `HF_ENDPOINT`")
                .with_help("leave it unset, or write `https://huggingface.co`")
        })?;
        let authorization = match &settings.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|_| {
                    PluginError::new(ErrorCode::Authentication, "the token holds characters that no token has")
                        .with_help("check `HF_TOKEN`, or the file `token` in `HF_HOME`")
                })?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let (attempts, pause) = (settings.attempts.max(1), settings.pause);
        Ok(Http { record: Record::default(), endpoint, authorization, attempts, pause, clients: Default::default() })
    }

    /// The address of a path on the hub, whose parts are encoded.
    pub(super) fn on_hub<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// Calls `work` until it succeeds, fails permanently, or has failed `attempts` times without progress. `work` sets its
    /// argument when it makes progress.
    pub(super) fn with_retries<T>(
        &self,
        attempts: Option<u32>,
        wait: &dyn Fn() -> Flow,
        mut work: impl FnMut(&mut bool) -> Result<T, Failure>,
    ) -> Result<T> {
        let attempts = attempts.unwrap_or(self.attempts);
        let mut failed = 0;
        // Limited even with progress: a server could close the connection after every byte.
        for _ in 0..attempts.saturating_mul(10) {
            let mut has_progress = false;
            let (error, asked) = match work(&mut has_progress) {
                Ok(done) => return Ok(done),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient(error, asked)) => (error, asked),
            };
            failed = if has_progress { 1 } else { failed + 1 };
            if failed >= attempts {
                let tried = if attempts > 1 { format!(" ({attempts} attempts)") } else { String::new() };
                return Err(PluginError { message: format!("{}{tried}", error.message), ..error });
            }
            let pause = asked.unwrap_or_else(|| self.pause.saturating_mul(1 << (failed - 1).min(6)));
            sleep(pause.min(PAUSE_MAX), wait)?;
        }
        Err(PluginError::new(ErrorCode::Network, "the server closed the connection again and again")
            .with_help("try again later"))
    }

    /// Sends one request and follows its redirections; `go_on` says whether the user still wants it. Responses that ask to try again later are failures.
    pub(super) fn send(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        follow: Follow,
        go_on: &dyn Fn() -> Flow,
    ) -> Result<HttpAnswer, Failure> {
        let mut url = url.clone();
        let mut redirections = Vec::new();
        for _ in 0..=REDIRECTIONS_MAX {
            self.check_scheme(&url)?;
            let client = self.client(is_loopback(&url))?;
            let mut request = client.request(method.clone(), url.clone()).headers(headers.clone());
            // Lengths and ranges are those of the file itself.
            request = request.header(ACCEPT_ENCODING, "identity");
            if let Some(authorization) = &self.authorization
                && url.origin() == self.endpoint.origin()
            {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
            let response = watched(go_on, move || request.send())?.map_err(|error| unreachable_server(&url, error))?;
            let status = response.status();
            if is_transient(status) {
                let asked = retry_after(response.headers());
                let message = format!("`{}` answered {status}", shown(&url));
                let code = match status {
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Overloaded,
                    _ => ErrorCode::Network,
                };
                return Err(Failure::Transient(PluginError::new(code, message).with_help("try again later"), asked));
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.filter(|_| status.is_redirection()).and_then(|location| url.join(location).ok());
            match next {
                Some(next) if follow == Follow::All || next.origin() == url.origin() => {
                    redirections.push(response.headers().clone());
                    url = next;
                }
                _ => return Ok(HttpAnswer { response, redirections }),
            }
        }
        let message = format!("`{}` redirects too often", shown(&url));
        Err(Failure::Final(PluginError::new(ErrorCode::Network, message)))
    }

    /// Plain `http` is allowed only for this machine, and for an endpoint that the user chose.
    fn check_scheme(&self, url: &Url) -> Result<()> {
        if url.scheme() == "https" || is_loopback(url) || url.origin() == self.endpoint.origin() {
            return Ok(());
        }
        Err(PluginError::bad_options(format!("`{}` is not encrypted, and could be changed in transit", shown(url)))
            .with_help("use `https://`"))
    }

    fn client(&self, local: bool) -> Result<&Client> {
        self.clients[usize::from(local)].get_or_init(|| build(local)).as_ref().map_err(Clone::clone)
    }
}

fn build(local: bool) -> Result<Client> {
    // The program includes its own cryptography provider. An error only means that one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("examiner/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(15))
        // For the headers, and for each read of the content, not for the whole download.
        .timeout(Duration::from_secs(60));
    let builder = if local { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| {
        PluginError::new(ErrorCode::Network, "cannot set up encrypted connections")
            .with_cause(&error.without_url())
            .with_help("check that certificates are installed (`ca-certificates`), or name them in `SSL_CERT_FILE`")
    })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn unreachable_server(url: &Url, error: reqwest::Error) -> Failure {
    let is_timeout = error.is_timeout();
    let is_invalid_request = error.is_builder();
    let host = url.host_str().unwrap_or_default();
    let message = match is_timeout {
        true => format!("`{host}` did not answer in time"),
        false => format!("cannot reach `{host}`"),
    };
    // The error's own text contains the whole address, including the query.
    let cause = error.without_url();
    let code = if is_timeout { ErrorCode::Timeout } else { ErrorCode::Network };
    let error = PluginError::new(code, message)
        .with_cause(&cause)
        .with_help("check the network (and `HTTPS_PROXY`), or set `HF_HUB_OFFLINE=1` to use what is in the cache");
    if is_invalid_request { Failure::Final(error) } else { Failure::Transient(error, None) }
}

fn sleep(pause: Duration, wait: &dyn Fn() -> Flow) -> Result<()> {
    let slice = Duration::from_millis(100);
    let mut left = pause;
    loop {
        if wait() == Flow::Stop {
            return Err(cancelled());
        }
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(slice));
        left = left.saturating_sub(slice);
    }
}
