//! HTTP/1.1 over a kept connection, by hand: a hundred thousand requests must not cost more here than in the gateway.

use std::{
    io::{self, BufRead, BufReader, Error, Read, Write},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Connection {
    host: String,
    stream: Option<BufReader<TcpStream>>,
}

/// As much of an answer as the tests judge.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Vec<u8>,
}

impl Connection {
    pub fn to(host: &str) -> Self {
        Self { host: host.to_owned(), stream: None }
    }

    /// Sends a request as it stands and reads the answer. A kept connection that was closed meanwhile is none of its
    /// faults: a gateway that refuses a body without reading it closes behind its answer.
    pub fn send(&mut self, request: &[u8]) -> io::Result<Answer> {
        if let Some(kept) = self.stream.take()
            && let Ok(answer) = self.send_on(kept, request)
        {
            return Ok(answer);
        }
        let fresh = connect(&self.host)?;
        self.send_on(fresh, request)
    }

    fn send_on(&mut self, mut stream: BufReader<TcpStream>, request: &[u8]) -> io::Result<Answer> {
        stream.get_mut().write_all(request)?;
        let (answer, stays) = read(&mut stream, request.starts_with(b"HEAD "))?;
        self.stream = stays.then_some(stream);
        Ok(answer)
    }
}

fn connect(host: &str) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(host)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// The answer, and whether the connection may be used again.
fn read(stream: &mut BufReader<TcpStream>, head_only: bool) -> io::Result<(Answer, bool)> {
    let mut line = String::new();
    let mut next = |stream: &mut BufReader<TcpStream>| -> io::Result<String> {
        line.clear();
        match stream.read_line(&mut line)? {
            0 => Err(Error::other("the gateway closed the connection")),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let first = next(stream)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| Error::other(format!("not HTTP: {first}")))?;
    let (mut length, mut chunked, mut stays, mut content_type) = (0, false, true, String::new());
    loop {
        let header = next(stream)?;
        let Some((name, value)) = header.split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().map_err(Error::other)?,
            "content-type" => value.clone_into(&mut content_type),
            "connection" => stays = !value.eq_ignore_ascii_case("close"),
            "transfer-encoding" => chunked = true,
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked && !head_only {
        while let size @ 1.. = usize::from_str_radix(&next(stream)?, 16).map_err(Error::other)? {
            read_more(stream, &mut body, size)?;
            next(stream)?;
        }
        next(stream)?;
    } else if !head_only {
        read_more(stream, &mut body, length)?;
    }
    Ok((Answer { status, content_type, body }, stays))
}

fn read_more(stream: &mut impl Read, body: &mut Vec<u8>, size: usize) -> io::Result<()> {
    let from = body.len();
    body.resize(from + size, 0);
    stream.read_exact(&mut body[from..])
}
