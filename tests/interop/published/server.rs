//! A server on this machine that answers as a test says: slowly, cut off, with other bytes.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request: its path, and the first byte that it asks for.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub range: Option<u64>,
}

/// An answer: its head, its body, and how the body is sent.
pub struct Answer {
    head: String,
    body: Vec<u8>,
    /// Number of bytes that are sent, and whether the connection stays open after them.
    sent: usize,
    stays_open: bool,
    announced: bool,
    pause: Option<(Duration, usize)>,
}

impl Answer {
    fn new(head: String, body: Vec<u8>) -> Self {
        let sent = body.len();
        Answer { head, body, sent, stays_open: false, announced: true, pause: None }
    }

    pub fn whole(body: &[u8]) -> Self {
        Self::new("200 OK\r\n".into(), body.to_vec())
    }

    /// The bytes from `start` on, as an answer to a range.
    pub fn part(body: &[u8], start: usize) -> Self {
        let range = format!("Content-Range: bytes {start}-{}/{}\r\n", body.len() - 1, body.len());
        Self::new(format!("206 Partial Content\r\n{range}"), body[start..].to_vec())
    }

    pub fn status(status: u16) -> Self {
        Self::new(format!("{status} Some Reason\r\n"), b"sorry".to_vec())
    }

    pub fn redirect(path: &str) -> Self {
        Self::new(format!("302 Found\r\nLocation: {path}\r\n"), vec![])
    }

    /// Ends the connection after some bytes of the body.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.sent = bytes.min(self.body.len());
        self
    }

    /// Sends no more after some bytes, and keeps the connection.
    pub fn silent_after(self, bytes: usize) -> Self {
        Answer { stays_open: true, ..self.cut_after(bytes) }
    }

    /// Without the length of the body.
    pub fn unannounced(self) -> Self {
        Answer { announced: false, ..self }
    }

    /// Waits after each block of bytes.
    pub fn slowly(self, pause: Duration, block: usize) -> Self {
        Answer { pause: Some((pause, block)), ..self }
    }

    fn send(&self, to: &mut TcpStream) -> std::io::Result<()> {
        let length = if self.announced { format!("Content-Length: {}\r\n", self.body.len()) } else { String::new() };
        to.write_all(format!("HTTP/1.1 {}{length}Connection: close\r\n\r\n", self.head).as_bytes())?;
        let (pause, block) = self.pause.unwrap_or((Duration::ZERO, usize::MAX));
        for part in self.body[..self.sent].chunks(block) {
            to.write_all(part)?;
            thread::sleep(pause);
        }
        if self.stays_open {
            // The client gives up long before.
            thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    }
}

/// A server that lives as long as the process.
pub struct Server {
    at: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request as `answer` says, given its number from 0.
    pub fn start(answer: impl Fn(usize, &Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(vec![]));
        let seen = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let Some(request) = read(&stream) else { continue };
                let number = {
                    let mut seen = seen.lock().expect("requests");
                    seen.push(request.clone());
                    seen.len() - 1
                };
                // A client hangs up only where a test makes it.
                let _ = answer(number, &request).send(&mut stream);
            }
        });
        Server { at, requests }
    }

    pub fn address(&self, name: &str) -> String {
        format!("http://{}/{name}", self.at)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }

    /// The address of a file on a port where no server listens.
    pub fn unbound() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}/net.pth", listener.local_addr().expect("an address"))
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let mut range = None;
    for line in lines {
        let line = line.ok()?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: bytes=") {
            range = value.trim_end_matches('-').parse().ok();
        }
    }
    Some(Request { path, range })
}
