//! Messages among all ranks, made of exchanges between two. Every rank calls the same function with the same lengths.

use super::tree::{TreeSum, nodes_of};
use super::{RankError, Ranks, shards_of};

/// Words of 4 bytes to which the segments of a sum are aligned.
const ALIGN: usize = 64;

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

/// The messages of all ranks on rank 0, by rank; none on the others. Their lengths may differ. Rank 0 waits without a limit.
///
/// # Errors
/// When a rank does not answer.
pub fn gather(ranks: &dyn Ranks, own: &[u8]) -> Result<Vec<Vec<u8>>, RankError> {
    let len = (own.len() as u64).to_le_bytes();
    if ranks.rank() > 0 {
        ranks.exchange(&[(0, &len), (0, own)], &mut [], true)?;
        return Ok(vec![]);
    }
    let mut lens = vec![[0; 8]; ranks.size()];
    lens[0] = len;
    let others = lens.iter_mut().enumerate().skip(1).map(|(rank, len)| (rank, len.as_mut_slice()));
    ranks.exchange(&[], &mut others.collect::<Vec<_>>(), true)?;
    let mut messages: Vec<Vec<u8>> = lens.iter().map(|len| vec![0; u64::from_le_bytes(*len) as usize]).collect();
    messages[0].copy_from_slice(own);
    let others = messages.iter_mut().enumerate().skip(1).map(|(rank, message)| (rank, message.as_mut_slice()));
    ranks.exchange(&[], &mut others.collect::<Vec<_>>(), true)?;
    Ok(messages)
}

/// Fills a message of known length from each rank.
fn gather_into<'a>(ranks: &dyn Ranks, own: &[u8], into: impl Iterator<Item = &'a mut [u8]>) -> Result<(), RankError> {
    let mut receive = vec![];
    for (rank, into) in into.enumerate() {
        if rank == ranks.rank() { into.copy_from_slice(own) } else { receive.push((rank, into)) }
    }
    let send: Vec<_> = receive.iter().map(|(rank, _)| (*rank, own)).collect();
    ranks.exchange(&send, &mut receive, false)
}

/// Gives all ranks the message of rank 0, which has the same length everywhere. With `patient` they wait for it without a limit.
///
/// # Errors
/// When a rank does not answer.
pub fn broadcast(ranks: &dyn Ranks, message: &mut [u8], patient: bool) -> Result<(), RankError> {
    if ranks.rank() > 0 {
        return ranks.exchange(&[], &mut [(0, message)], patient);
    }
    let message = &*message;
    let send: Vec<_> = (1..ranks.size()).map(|rank| (rank, message)).collect();
    ranks.exchange(&send, &mut [], patient)
}

/// The sum over all shards along the tree, on every rank; `own` has this rank's shards. Each rank adds up one segment of the
/// vectors, then all exchange their segments: a rank sends and receives about twice the length of a vector.
///
/// # Errors
/// When a rank does not answer.
pub fn sum_shards(ranks: &dyn Ranks, shards: usize, len: usize, own: TreeSum) -> Result<Vec<f32>, RankError> {
    let (rank, size) = (ranks.rank(), ranks.size());
    let own = own.into_nodes();
    if size == 1 {
        return Ok(own.into_iter().next().map(|(_, sum)| sum).unwrap_or_default());
    }
    let bound = |rank: usize| if rank == size { len } else { (len * rank / size).next_multiple_of(ALIGN).min(len) };
    let segment = |rank: usize| bound(rank)..bound(rank + 1);
    let nodes = |rank: usize| nodes_of(shards, shards_of(rank, size, shards));

    let mut parts: Vec<_> = (0..size)
        .flat_map(|from| nodes(from).into_iter().map(move |node| (from, node)))
        .map(|(from, node)| (from, node, vec![0f32; segment(rank).len()]))
        .collect();
    let others = || (0..size).filter(|&other| other != rank);
    let send: Vec<_> =
        others().flat_map(|to| own.iter().map(move |(_, sum)| (to, bytemuck::cast_slice(&sum[segment(to)])))).collect();
    let mut receive: Vec<_> = parts
        .iter_mut()
        .filter(|(from, ..)| *from != rank)
        .map(|(from, _, values)| (*from, bytemuck::cast_slice_mut(values.as_mut_slice())))
        .collect();
    ranks.exchange(&send, &mut receive, false)?;
    let known = parts.iter_mut().filter(|(from, ..)| *from == rank).zip(&own);
    known.for_each(|((_, _, values), (_, sum))| values.copy_from_slice(&sum[segment(rank)]));
    let mut tree = TreeSum::new(shards);
    parts.into_iter().for_each(|(_, node, values)| tree.add(node, values));

    let mut sum = vec![0f32; len];
    sum[segment(rank)].copy_from_slice(&tree.into_sum().unwrap_or_default());
    let mine = sum[segment(rank)].to_vec();
    let send: Vec<_> = others().map(|to| (to, bytemuck::cast_slice(&mine))).collect();
    let mut rest = sum.as_mut_slice();
    let mut receive: Vec<(usize, &mut [u8])> = vec![];
    for from in 0..size {
        let (values, after) = rest.split_at_mut(segment(from).len());
        rest = after;
        if from != rank {
            receive.push((from, bytemuck::cast_slice_mut(values)));
        }
    }
    ranks.exchange(&send, &mut receive, false)?;
    Ok(sum)
}
