//! A server on this machine that shows runs under way in a browser.
//!
//! It listens only on the loopback address, and answers only requests that carry its token. Other programs of this
//! machine, and pages of other sites in the same browser, learn nothing of the runs.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};

use tiny_http::{Header, Request, Response, Server};

use crate::report::Watched;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[error("port {port} of this machine cannot be used: {reason}; choose another port, or 0 for any free one")]
pub struct PortError {
    port: u16,
    reason: String,
}

/// A server of watched runs.
pub struct Watch {
    server: Server,
    token: String,
    runs: Watched,
}

impl Watch {
    /// Listens on a port; 0 is any free one.
    ///
    /// # Errors
    /// When the port is taken or not allowed.
    pub fn listen(runs: Watched, port: u16) -> Result<Self, PortError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let server = Server::http(address).map_err(|e| PortError { port, reason: e.to_string() })?;
        Ok(Watch { server, token: secret(), runs })
    }

    /// The address of the page, with its token.
    pub fn address(&self) -> String {
        format!("http://{}/?token={}", self.server.server_addr(), self.token)
    }

    /// Answers requests until the process ends.
    pub fn serve(mut self) {
        for request in self.server.incoming_requests() {
            let answer = answer(&request, &self.token, &mut self.runs);
            // A browser that went away needs no answer.
            let _ = request.respond(answer);
        }
    }
}

type Answer = Response<std::io::Cursor<Vec<u8>>>;

fn answer(request: &Request, token: &str, runs: &mut Watched) -> Answer {
    let (path, question) = request.url().split_once('?').unwrap_or((request.url(), ""));
    if question != format!("token={token}") {
        return plain(403, "This page needs the token of its address, which the console shows.");
    }
    let version = match runs.refresh() {
        Ok(version) => version.to_string(),
        Err(error) => return plain(500, &error.to_string()),
    };
    match path {
        "/" => {
            let nonce = secret();
            let policy = format!(
                "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; \
                 connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            );
            match runs.page(&nonce) {
                Ok(page) => html(page, &version).with_header(header("Content-Security-Policy", &policy)),
                Err(error) => plain(500, &error.to_string()),
            }
        }
        "/now" => html(runs.table(), &version),
        _ => plain(404, "There is no such page here."),
    }
}

fn html(text: String, version: &str) -> Answer {
    Response::from_string(text)
        .with_header(header("Content-Type", "text/html; charset=utf-8"))
        .with_header(header("Cache-Control", "no-store"))
        .with_header(header("Referrer-Policy", "no-referrer"))
        .with_header(header("X-Content-Type-Options", "nosniff"))
        .with_header(header("X-Version", version))
}

fn plain(status: u16, text: &str) -> Answer {
    let kind = header("Content-Type", "text/plain; charset=utf-8");
    Response::from_string(text).with_status_code(status).with_header(kind)
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("names and values are ASCII")
}

/// 128 bits that other processes cannot guess: the system's random keys of two hash functions.
fn secret() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
