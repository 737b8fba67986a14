//! Messages among all ranks, made of exchanges between two. Every rank calls the same function with the same lengths.

use super::{RankError, Ranks, Wait};

/// The messages of all ranks, by rank. Their lengths may differ.
///
/// # Errors
/// When a rank does not answer.
pub fn all_gather(ranks: &dyn Ranks, own: &[u8]) -> Result<Vec<Vec<u8>>, RankError> {
    let mut lens = vec![[0; 8]; ranks.size()];
    gather_into(ranks, &(own.len() as u64).to_le_bytes(), lens.iter_mut().map(<[u8; 8]>::as_mut_slice))?;
    let mut messages: Vec<Vec<u8>> = lens.iter().map(|len| vec![0; u64::from_le_bytes(*len) as usize]).collect();
    gather_into(ranks, own, messages.iter_mut().map(Vec::as_mut_slice))?;
    Ok(messages)
}

/// On rank 0: the messages of all ranks, by rank. On the others: empty. Their lengths may differ.
///
/// # Errors
/// When a rank does not answer.
pub fn gather(ranks: &dyn Ranks, own: &[u8], wait: Wait) -> Result<Vec<Vec<u8>>, RankError> {
    let len = (own.len() as u64).to_le_bytes();
    if ranks.rank() > 0 {
        ranks.exchange(&[(0, &len), (0, own)], &mut [], wait)?;
        return Ok(vec![]);
    }
    let mut lens = vec![[0; 8]; ranks.size()];
    lens[0] = len;
    let others = lens.iter_mut().enumerate().skip(1).map(|(rank, len)| (rank, len.as_mut_slice()));
    ranks.exchange(&[], &mut others.collect::<Vec<_>>(), wait)?;
    let mut messages: Vec<Vec<u8>> = lens.iter().map(|len| vec![0; u64::from_le_bytes(*len) as usize]).collect();
    messages[0].copy_from_slice(own);
    let others = messages.iter_mut().enumerate().skip(1).map(|(rank, message)| (rank, message.as_mut_slice()));
    ranks.exchange(&[], &mut others.collect::<Vec<_>>(), wait)?;
    Ok(messages)
}

/// Fills a message of known length from each rank.
fn gather_into<'a>(ranks: &dyn Ranks, own: &[u8], into: impl Iterator<Item = &'a mut [u8]>) -> Result<(), RankError> {
    let mut receive = vec![];
    for (rank, into) in into.enumerate() {
        if rank == ranks.rank() { into.copy_from_slice(own) } else { receive.push((rank, into)) }
    }
    let send: Vec<_> = receive.iter().map(|(rank, _)| (*rank, own)).collect();
    ranks.exchange(&send, &mut receive, Wait::Timeout)
}

/// Gives all ranks the message of rank 0, which has the same length everywhere.
///
/// # Errors
/// When a rank does not answer.
pub fn broadcast(ranks: &dyn Ranks, message: &mut [u8], wait: Wait) -> Result<(), RankError> {
    if ranks.rank() > 0 {
        return ranks.exchange(&[], &mut [(0, message)], wait);
    }
    let message = &*message;
    let send: Vec<_> = (1..ranks.size()).map(|rank| (rank, message)).collect();
    ranks.exchange(&send, &mut [], wait)
}
