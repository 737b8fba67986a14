//! Ranks that are threads of one process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use shadegrad::ranks::{RankError, Ranks, Wait};

/// Bytes of a message that holds weights or gradients.
const LONG: usize = 1000;

/// Messages from a rank, and the one that was probed.
type Inbox = (Receiver<Vec<u8>>, Option<Vec<u8>>);

/// A rank in a thread.
pub struct Thread {
    pub rank: usize,
    send: Vec<Sender<Vec<u8>>>,
    receive: Vec<Mutex<Inbox>>,
    /// Bytes that the rank has sent.
    pub sent: Arc<AtomicUsize>,
    /// Number, from 1, of the received long message whose values are changed.
    pub faulty: AtomicUsize,
}

impl std::fmt::Debug for Thread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {}", self.rank)
    }
}

/// Ranks that are linked by channels.
pub fn linked(size: usize) -> Vec<Thread> {
    let mut ranks: Vec<Thread> = (0..size)
        .map(|rank| Thread { rank, send: vec![], receive: vec![], sent: Arc::default(), faulty: 0.into() })
        .collect();
    for to in 0..size {
        for from in 0..size {
            let (sender, receiver) = channel();
            ranks[from].send.push(sender);
            ranks[to].receive.push(Mutex::new((receiver, None)));
        }
    }
    ranks
}

impl Ranks for Thread {
    fn rank(&self) -> usize {
        self.rank
    }
    fn size(&self) -> usize {
        self.send.len()
    }
    fn local(&self) -> usize {
        self.rank
    }
    fn exchange(&self, send: &[(usize, &[u8])], receive: &mut [(usize, &mut [u8])], _: Wait) -> Result<(), RankError> {
        for (to, message) in send {
            self.sent.fetch_add(message.len(), Ordering::Relaxed);
            // A rank that has ended receives nothing.
            let _ = self.send[*to].send(message.to_vec());
        }
        for (from, into) in receive {
            let gone = RankError::Silent { rank: self.rank, size: self.size(), silent: vec![*from], seconds: 0 };
            let mut inbox = self.receive[*from].lock().expect("not poisoned");
            let looked_at = inbox.1.take();
            let message = looked_at.map_or_else(|| inbox.0.recv().map_err(|_| gone), Ok)?;
            assert_eq!(message.len(), into.len(), "rank {} to {}", from, self.rank);
            into.copy_from_slice(&message);
            if into.len() > LONG
                && self.faulty.load(Ordering::Relaxed) > 0
                && self.faulty.fetch_sub(1, Ordering::Relaxed) == 1
            {
                // Flips the top bit of the significand of some values: an optimizer that divides by their size hides
                // smaller changes.
                into.chunks_mut(4).take(16).for_each(|word| word[2] ^= 0x40);
            }
        }
        Ok(())
    }
    fn ready(&self, from: usize) -> Result<bool, RankError> {
        let mut inbox = self.receive[from].lock().expect("not poisoned");
        if inbox.1.is_none() {
            inbox.1 = inbox.0.try_recv().ok();
        }
        Ok(inbox.1.is_some())
    }
    fn abort(&self, code: u8) -> ! {
        panic!("rank {} ends all with {code}", self.rank)
    }
}
