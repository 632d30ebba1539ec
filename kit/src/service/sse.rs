//! Streams of server-sent events, read a line at a time.

use super::failure::Failure;
use super::http::{Answer, Fault, MOST_TEXT};

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its kind; `message` where it says none.
    pub(crate) kind: String,
    /// What it says.
    pub(crate) data: String,
}

/// Puts events together from bytes.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    event: Event,
    some: bool,
}

impl Events {
    /// Takes some bytes, and gives the events that are whole by then.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line).into_owned();
            whole.extend(self.line(line.trim_end_matches('\r')));
        }
        whole
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let some = std::mem::take(&mut self.some);
            let kind = if event.kind.is_empty() { "message".to_owned() } else { event.kind };
            return some.then_some(Event { kind, data: event.data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => (self.event.kind, self.some) = (value.to_owned(), true),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.some = true;
            }
            // A comment, or a field that says nothing to us.
            _ => {}
        }
        None
    }

    /// How much is kept until an event is whole.
    fn held(&self) -> u64 {
        (self.line.len() + self.event.data.len()) as u64
    }
}

/// Reads events until `enough` makes something of one.
pub(crate) fn until<T>(
    answer: &mut Answer,
    enough: &dyn Fn(&Event) -> Option<T>,
) -> Result<T, Fault> {
    let mut events = Events::default();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = answer.read(&mut buffer)?;
        if count == 0 {
            return Err(Fault::Lost("the stream ended before the job".to_owned()));
        }
        for event in events.take(&buffer[..count]) {
            if let Some(found) = enough(&event) {
                return Ok(found);
            }
        }
        if events.held() > MOST_TEXT {
            return Err(Failure::new("wrong-answer: an event of the stream has no end").into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_from_any_pieces() {
        let text = ": hello\n\nevent: heartbeat\ndata: null\n\r\n\nevent: complete\r\ndata: [1,\r\n\
                    data: 2]\r\n\r\nid: 7\n\ndata:x\n\n";
        let event = |kind: &str, data: &str| Event { kind: kind.into(), data: data.into() };
        let expected =
            [event("heartbeat", "null"), event("complete", "[1,\n2]"), event("message", "x")];
        for size in [1, 2, 3, 7, 1000] {
            let mut events = Events::default();
            let found: Vec<Event> =
                text.as_bytes().chunks(size).flat_map(|piece| events.take(piece)).collect();
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_its_end_is_none_yet() {
        let mut events = Events::default();
        assert_eq!(events.take(b"event: complete\ndata: [1]\n"), []);
        assert_eq!(events.take(b"\n").len(), 1);
    }
}
