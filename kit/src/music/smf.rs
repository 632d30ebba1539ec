//! Writes a score as a Standard MIDI File of format 1: the tempo's track, and one for each part.

use super::{Part, QUARTER, Score};

impl Score {
    /// The bytes of the file.
    pub fn to_midi(&self) -> Vec<u8> {
        let tracks = self.parts.len() as u16 + 1;
        let mut file = b"MThd".to_vec();
        file.extend(6u32.to_be_bytes());
        for number in [1, tracks, QUARTER as u16] {
            file.extend(number.to_be_bytes());
        }
        file.extend(track(self.conductor(), self.end));
        for part in &self.parts {
            file.extend(track(part.events(), self.end));
        }
        file
    }

    fn conductor(&self) -> Vec<Event> {
        let tempo = &self.quarter.to_be_bytes()[1..];
        let signature = [self.key.signature().to_be_bytes()[0], u8::from(self.key.minor)];
        vec![meta(0x51, tempo), meta(0x58, &[4, 2, 24, 8]), meta(0x59, &signature)]
    }
}

impl Part {
    fn events(&self) -> Vec<Event> {
        let channel = self.channel;
        let mut events = vec![
            meta(0x03, self.name.as_bytes()),
            Event { at: 0, order: 0, bytes: vec![0xc0 | channel, self.program] },
        ];
        // Volume, place and reverberation.
        for (control, value) in [(7, self.volume), (10, self.pan), (91, 50)] {
            events.push(Event { at: 0, order: 0, bytes: vec![0xb0 | channel, control, value] });
        }
        for note in &self.notes {
            let on = vec![0x90 | channel, note.pitch, note.velocity];
            let off = vec![0x80 | channel, note.pitch, 64];
            events.push(Event { at: note.start, order: 2, bytes: on });
            // Before what begins at the same time, which may be the same note again.
            events.push(Event { at: note.start + note.length, order: 1, bytes: off });
        }
        events
    }
}

struct Event {
    at: u32,
    order: u8,
    bytes: Vec<u8>,
}

fn meta(kind: u8, data: &[u8]) -> Event {
    let mut bytes = vec![0xff, kind];
    bytes.extend(variable(data.len() as u32));
    bytes.extend(data);
    Event { at: 0, order: 0, bytes }
}

/// A track that ends at `end`.
fn track(mut events: Vec<Event>, end: u32) -> Vec<u8> {
    events.sort_by_key(|event| (event.at, event.order));
    let mut body = Vec::new();
    let mut now = 0;
    for event in events {
        body.extend(variable(event.at - now));
        body.extend(event.bytes);
        now = event.at;
    }
    body.extend(variable(end.saturating_sub(now)));
    body.extend([0xff, 0x2f, 0]);
    let mut track = b"MTrk".to_vec();
    track.extend((body.len() as u32).to_be_bytes());
    track.extend(body);
    track
}

/// A number in groups of seven bits, the first with the most significant ones; all but the last
/// group have the eighth bit.
fn variable(number: u32) -> Vec<u8> {
    let mut groups = vec![(number & 0x7f) as u8];
    let mut rest = number >> 7;
    while rest > 0 {
        groups.insert(0, (rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_shows() {
        assert_eq!(variable(0), [0]);
        assert_eq!(variable(0x7f), [0x7f]);
        assert_eq!(variable(0x80), [0x81, 0]);
        assert_eq!(variable(0x001f_ffff), [0xff, 0xff, 0x7f]);
    }
}
