//! The nearest donors of a missing cell, and the value that they give it.

use serde::{Deserialize, Serialize};

use super::{NeighborWeights, bits, mask_of, pattern};
use crate::sums::{Bounds, Quantum};

/// All donors at one distance: how many they are, and the sum of their values in quanta.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) distance: f64,
    pub(super) count: u64,
    pub(super) sum: i128,
}

/// The nearest donors of a cell by scaled squared distance, ascending. The donors before the last entry are fewer than
/// the neighbours that are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct List {
    pub(super) entries: Vec<Entry>,
    count: u64,
}

impl List {
    /// A donor farther away than this changes nothing.
    pub(super) fn worst(&self, neighbors: u64) -> f64 {
        match self.entries.last() {
            Some(last) if self.count >= neighbors => last.distance,
            _ => f64::INFINITY,
        }
    }

    pub(super) fn add(&mut self, entry: Entry, neighbors: u64) {
        if entry.distance > self.worst(neighbors) {
            return;
        }
        let at = self.entries.iter().rposition(|other| other.distance <= entry.distance);
        match at.map(|at| &mut self.entries[at]) {
            Some(same) if same.distance == entry.distance => {
                same.count += entry.count;
                same.sum += entry.sum;
            }
            _ => self.entries.insert(at.map_or(0, |at| at + 1), entry),
        }
        self.count += entry.count;
        while let Some(last) = self.entries.last()
            && self.count - last.count >= neighbors
        {
            self.count -= last.count;
            self.entries.pop();
        }
    }

    pub(super) fn average(&self, neighbors: u64, weights: NeighborWeights, quantum: Quantum) -> Option<f64> {
        average(&self.entries, neighbors, weights, quantum)
    }
}

/// The value that the neighbours give a cell; `None` if there are none. Donors at the last distance share the places
/// that are left.
fn average(entries: &[Entry], neighbors: u64, weights: NeighborWeights, quantum: Quantum) -> Option<f64> {
    let (last, before) = entries.split_last()?;
    let nearer: u64 = before.iter().map(|entry| entry.count).sum();
    let left = last.count.min(neighbors - nearer);
    match weights {
        NeighborWeights::Distance if entries[0].distance == 0.0 => Some(quantum.mean(entries[0].sum, entries[0].count)),
        // The weights would be 0: all donors are so far away that their squared distance is infinite.
        NeighborWeights::Distance if entries[0].distance < f64::INFINITY => {
            let (mut sum, mut total) = (0.0, 0.0);
            for (at, entry) in entries.iter().enumerate() {
                let places = if at < before.len() { entry.count } else { left };
                let weight = places as f64 / entry.distance.sqrt();
                sum += weight * quantum.mean(entry.sum, entry.count);
                total += weight;
            }
            Some(sum / total)
        }
        NeighborWeights::Distance | NeighborWeights::Uniform => {
            let (places, count) = (i128::from(left), i128::from(last.count));
            // The share of the last ones: whole quanta, by parts, as the product may have more than 128 bits.
            let share = last.sum / count * places + last.sum % count * places / count;
            Some(quantum.mean(before.iter().map(|entry| entry.sum).sum::<i128>() + share, nearer + left))
        }
    }
}

/// A point of a tree, or a donor, near a receiver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) distance: f64,
    pub(super) count: u32,
    pub(super) reference: u32,
}

/// The nearest points so far, ascending by distance; cut as a [`List`] is.
#[derive(Debug)]
pub(super) struct Hits {
    neighbors: u64,
    items: Vec<Hit>,
    count: u64,
    /// Donors at the last distance.
    last: u64,
    worst: f64,
}

impl Hits {
    pub(super) fn new(neighbors: u64) -> Self {
        Self { neighbors, items: vec![], count: 0, last: 0, worst: f64::INFINITY }
    }

    /// Starts again: points farther away than `worst` are ignored.
    pub(super) fn clear(&mut self, worst: f64) {
        self.items.clear();
        (self.count, self.last, self.worst) = (0, 0, worst);
    }

    pub(super) fn items(&self) -> &[Hit] {
        &self.items
    }

    /// Points up to this distance have to be offered.
    #[inline(always)]
    pub(super) fn worst(&self) -> f64 {
        self.worst
    }

    #[inline]
    pub(super) fn offer(&mut self, distance: f64, count: u32, reference: u32) {
        let at = self.items.iter().rposition(|hit| hit.distance <= distance).map_or(0, |at| at + 1);
        let end = at == self.items.len();
        if end {
            let same = self.items.last().is_some_and(|hit| hit.distance == distance);
            self.last = if same { self.last + u64::from(count) } else { u64::from(count) };
        }
        self.items.insert(at, Hit { distance, count, reference });
        self.count += u64::from(count);
        // The points at the last distance go together, and so the last ones are known without a search.
        while self.count - self.last >= self.neighbors
            && let Some(last) = self.items.last().map(|hit| hit.distance)
        {
            self.count -= self.last;
            while self.items.pop_if(|hit| hit.distance == last).is_some() {}
            let before = self.items.last().map(|hit| hit.distance);
            let same = self.items.iter().rev().take_while(|hit| Some(hit.distance) == before);
            self.last = same.map(|hit| u64::from(hit.count)).sum();
        }
        if self.count >= self.neighbors
            && let Some(last) = self.items.last()
        {
            self.worst = last.distance;
        }
    }
}

/// The nearest donors of every missing cell of some rows, in the order of (row, feature): what is known of them from some
/// of the donors. Lists of the same rows searched among other donors merge into what a search among all would have found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    neighbors: u64,
    /// Entries of each cell.
    lengths: Vec<u32>,
    /// For each entry, the scaled squared distance, the number of donors there, and the sum of their values in quanta.
    distances: Vec<f64>,
    counts: Vec<u64>,
    sums: Vec<i128>,
}

impl Nearest {
    pub(super) fn new(neighbors: u64) -> Self {
        Self { neighbors, lengths: vec![], distances: vec![], counts: vec![], sums: vec![] }
    }

    pub(super) fn push(&mut self, entries: &[Entry]) {
        self.lengths.push(entries.len() as u32);
        self.distances.extend(entries.iter().map(|entry| entry.distance));
        self.counts.extend(entries.iter().map(|entry| entry.count));
        self.sums.extend(entries.iter().map(|entry| entry.sum));
    }

    /// Number of missing cells.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.lengths.len()
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        4 * self.lengths.capacity()
            + 8 * (self.distances.capacity() + self.counts.capacity())
            + 16 * self.sums.capacity()
    }

    fn lists(&self) -> impl Iterator<Item = impl Iterator<Item = Entry>> {
        let mut start = 0;
        self.lengths.iter().map(move |length| {
            let entries = start..start + *length as usize;
            start = entries.end;
            let entry = |i| Entry { distance: self.distances[i], count: self.counts[i], sum: self.sums[i] };
            entries.map(entry)
        })
    }

    /// For each cell, the scaled squared distance within which its nearest donors lie; infinite if there are fewer
    /// donors than neighbours that are asked for.
    #[must_use]
    pub fn reach(&self) -> Vec<f64> {
        let reach = |list: &mut dyn Iterator<Item = Entry>| {
            let (count, last) =
                list.fold((0, f64::INFINITY), |(count, _), entry| (count + entry.count, entry.distance));
            if count >= self.neighbors { last } else { f64::INFINITY }
        };
        self.lists().map(|mut list| reach(&mut list)).collect()
    }

    /// Adds what a search for the same rows among other donors found.
    ///
    /// # Panics
    /// When the searches were not for as many cells and neighbours.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!((self.neighbors, self.cells()), (other.neighbors, other.cells()), "searches for different cells");
        let mut merged = Self::new(self.neighbors);
        let mut list = List::default();
        for (a, b) in self.lists().zip(other.lists()) {
            list.entries.clear();
            list.count = 0;
            a.chain(b).for_each(|entry| list.add(entry, self.neighbors));
            merged.push(&list.entries);
        }
        *self = merged;
    }

    /// Fills the missing cells of the `rows` (`n x d`, row-major) that were searched for, and returns of each row the bit
    /// mask of the cells filled. A cell without a donor becomes `fallback` (`d` values). `bounds` are those that the
    /// donors were searched with.
    ///
    /// # Panics
    /// When the rows do not miss as many cells.
    pub fn fill(&self, rows: &mut [f64], fallback: &[f64], weights: NeighborWeights, bounds: &[Bounds]) -> Vec<u64> {
        let features = fallback.len();
        let quanta = quanta(bounds);
        let mut lists = self.lists();
        let mut entries: Vec<Entry> = vec![];
        let mut cells = 0;
        let mut fill = |row: &mut [f64]| {
            let missing = !pattern(row) & mask_of(features);
            for feature in bits(missing) {
                entries.clear();
                entries.extend(lists.next().into_iter().flatten());
                let value = average(&entries, self.neighbors, weights, quanta[feature]);
                row[feature] = value.unwrap_or(fallback[feature]);
                cells += 1;
            }
            missing
        };
        let masks = rows.chunks_exact_mut(features).map(&mut fill).collect();
        assert_eq!(cells, self.cells(), "rows that were not searched for");
        masks
    }
}

/// The units that values of each feature are added up in.
pub(super) fn quanta(bounds: &[Bounds]) -> Vec<Quantum> {
    bounds.iter().map(|bounds| Quantum::for_bound(bounds.max_abs())).collect()
}
