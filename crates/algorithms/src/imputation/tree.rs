//! A kd-tree over the donors of one pattern, on the columns that they share with a receiver.
//!
//! ```text
//!   points  x x | x x x | x | ...     distinct, leaf by leaf, row-major
//!   refs    r G | r r G | r | ...     the donor that a point is, or the total of all donors that are there
//! ```
//!
//! The tree is built in the array of its points. Nodes are cut at the median of a sample, by value, so donors at the
//! same place are never separated and meet in one leaf, where they become one point. When a point turns out to be near,
//! the values are looked up in the rows of the donors. A box is tight around its points. Pruning is exact in floating
//! point: the distance to a box is added up in the same column order as a distance to a point, from terms that are no
//! larger, and rounding is monotone. References: Friedman, Bentley and Finkel, ACM TOMS 1977.

use super::donors::Group;
use super::nearest::Hits;
use crate::hashing::combine;
use crate::sums::Quantum;

/// Most points of a leaf.
const LEAF: usize = 12;
/// Rows whose median is taken for that of a node.
const SAMPLE: usize = 33;
/// Parts with fewer rows than this do not get a thread of their own.
const LEAST_PIECE: usize = 32_768;
/// Nodes below this depth are cut at their true median, which bounds the depth whatever the rows.
const DEEPEST_SAMPLED: usize = 64;
/// A reference to a total, not to a donor.
const TOTAL: u32 = 1 << 31;
/// No point.
const NOWHERE: u32 = u32::MAX;
/// After this many rows it is first checked that at least a quarter of the rows were at places met before.
const FIRST_CHECK: usize = 1 << 15;

/// A node; the left child of an inner one follows it.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// How far behind the node its right child is; 0 for a leaf.
    right: u32,
    start: u32,
    end: u32,
}

/// Runs `$body` with the constant `$D` set to the number of columns where it is small, and to 0 where it is not.
macro_rules! with_columns {
    ($columns:expr, $D:ident => $body:expr) => {
        match $columns {
            1 => with_columns!(@ 1, $D => $body),
            2 => with_columns!(@ 2, $D => $body),
            3 => with_columns!(@ 3, $D => $body),
            4 => with_columns!(@ 4, $D => $body),
            _ => with_columns!(@ 0, $D => $body),
        }
    };
    (@ $columns:literal, $D:ident => $body:expr) => {{
        const $D: usize = $columns;
        $body
    }};
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tree {
    columns: usize,
    points: Vec<f64>,
    refs: Vec<u32>,
    part: Part,
    /// Features that the donors have beyond the columns: a total has a sum for each.
    given: usize,
}

/// Nodes and totals of a part of a tree.
#[derive(Debug, Default)]
struct Part {
    points: usize,
    nodes: Vec<Node>,
    /// Smallest coordinates of each node, then its largest.
    boxes: Vec<f64>,
    totals: Totals,
}

/// For each total, how many donors it stands for, and the sum of their values of each given feature.
#[derive(Debug, Default)]
struct Totals {
    counts: Vec<u32>,
    sums: Vec<i128>,
}

/// What all parts of a build have in common.
struct Source<'a> {
    group: &'a Group,
    columns: usize,
    /// Where the given features are in a row of the group, with their quanta.
    given: &'a [(usize, Quantum)],
    /// Totals that rows refer to before the tree is built.
    totals: Totals,
    /// Rows from which on a part is divided between two threads.
    alone: usize,
}

impl Tree {
    /// Builds the tree over all rows of `group`: `shared` are the places of its columns in a row, `given` those of the
    /// other features. `O(n log n)` on up to `threads` threads.
    pub(super) fn new(group: &Group, shared: &[usize], given: &[(usize, Quantum)], threads: usize) -> Self {
        let (columns, rows) = (shared.len(), group.rows());
        let alone = if threads > 1 { (rows / (8 * threads)).max(LEAST_PIECE) } else { usize::MAX };
        let mut source = Source { group, columns, given, totals: Totals::default(), alone };
        let (mut points, mut refs) = source.gather(shared);
        let mut part = with_columns!(columns, D => source.grow::<D>(&mut points, &mut refs, 0));
        points.truncate(part.points * columns);
        refs.truncate(part.points);
        points.shrink_to_fit();
        refs.shrink_to_fit();
        part.nodes.shrink_to_fit();
        part.boxes.shrink_to_fit();
        part.totals.counts.shrink_to_fit();
        part.totals.sums.shrink_to_fit();
        Self { columns, points, refs, part, given: given.len() }
    }

    /// Bytes that a tree over `rows` rows takes at most, while it is built too. There is a node for every four points at
    /// most, and a total stands for two rows at least.
    pub(super) fn most_bytes(rows: usize, columns: usize, given: usize) -> usize {
        let point = 8 * columns + size_of::<u32>();
        let node = 16 * columns + size_of::<Node>();
        let total = size_of::<u32>() + 16 * given;
        rows * point + rows.div_ceil(4) * node + rows / 2 * total + 4096
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        8 * (self.points.capacity() + self.part.boxes.capacity())
            + 4 * (self.refs.capacity() + self.part.totals.counts.capacity())
            + size_of::<Node>() * self.part.nodes.capacity()
            + 16 * self.part.totals.sums.capacity()
    }

    /// The sum of the values of given feature `feature` over the donors of a total; none where the reference is a donor.
    pub(super) fn total(&self, reference: u32, feature: usize) -> Option<i128> {
        (reference >= TOTAL).then(|| self.part.totals.sums[(reference - TOTAL) as usize * self.given + feature])
    }

    /// Offers all points that may be among the nearest to `query`.
    pub(super) fn search(&self, query: &[f64], scale: f64, hits: &mut Hits) {
        with_columns!(self.columns, D => {
            if self.box_distance::<D>(0, query) * scale <= hits.worst() {
                self.visit::<D>(0, query, scale, hits);
            }
        });
    }

    fn visit<const D: usize>(&self, at: usize, query: &[f64], scale: f64, hits: &mut Hits) {
        let node = self.part.nodes[at];
        if node.right == 0 {
            let columns = if D == 0 { self.columns } else { D };
            let (start, end) = (node.start as usize, node.end as usize);
            let points = self.points[start * columns..end * columns].chunks_exact(columns);
            for (point, reference) in points.zip(&self.refs[start..end]) {
                let mut sum = 0.0;
                for (a, b) in point.iter().zip(query) {
                    sum += (a - b) * (a - b);
                }
                let distance = sum * scale;
                if distance <= hits.worst() {
                    let total = *reference >= TOTAL;
                    let count = if total { self.part.totals.counts[(reference - TOTAL) as usize] } else { 1 };
                    hits.offer(distance, count, *reference);
                }
            }
            return;
        }
        let (left, right) = (at + 1, at + node.right as usize);
        let to_left = self.box_distance::<D>(left, query) * scale;
        let to_right = self.box_distance::<D>(right, query) * scale;
        let [near, far] = if to_right < to_left {
            [(right, to_right), (left, to_left)]
        } else {
            [(left, to_left), (right, to_right)]
        };
        for (child, distance) in [near, far] {
            if distance <= hits.worst() {
                self.visit::<D>(child, query, scale, hits);
            }
        }
    }

    #[inline(always)]
    fn box_distance<const D: usize>(&self, at: usize, query: &[f64]) -> f64 {
        let columns = if D == 0 { self.columns } else { D };
        let sides = &self.part.boxes[at * 2 * columns..(at + 1) * 2 * columns];
        let (low, high) = sides.split_at(columns);
        let mut sum = 0.0;
        for ((value, low), high) in query[..columns].iter().zip(low).zip(high) {
            let offset = (low - value).max(value - high).max(0.0);
            sum += offset * offset;
        }
        sum
    }
}

impl Source<'_> {
    /// The points of all rows, and what they refer to. Rows at the same place become one at once where that is frequent, as
    /// it is with whole numbers: it goes through the donors in order, and leaves a small tree to build.
    fn gather(&mut self, shared: &[usize]) -> (Vec<f64>, Vec<u32>) {
        let (columns, rows) = (self.columns, self.group.rows());
        let mut points: Vec<f64> = Vec::with_capacity(rows * columns);
        let mut refs: Vec<u32> = Vec::with_capacity(rows);
        // Points by a hash of their coordinates; open addressing.
        let mut places = vec![NOWHERE; 1 << 10];
        let hash = |point: &[f64]| point.iter().fold(0, |hash, value| combine(hash, value.to_bits())) as usize;
        let mut check = FIRST_CHECK;
        for (row, donor) in self.group.values.chunks_exact(self.group.width).zip(0..) {
            // -0.0 becomes 0.0.
            points.extend(shared.iter().map(|place| row[*place] + 0.0));
            let (known, point) = points.split_at(refs.len() * columns);
            if places.is_empty() {
                refs.push(donor);
                continue;
            }
            let mut at = hash(point) & (places.len() - 1);
            while places[at] != NOWHERE && known[places[at] as usize * columns..][..columns] != *point {
                at = (at + 1) & (places.len() - 1);
            }
            if places[at] == NOWHERE {
                places[at] = refs.len() as u32;
                refs.push(donor);
                if 2 * refs.len() > places.len() {
                    places = vec![NOWHERE; 2 * places.len()];
                    for (point, index) in points.chunks_exact(columns).zip(0..) {
                        let mut at = hash(point) & (places.len() - 1);
                        while places[at] != NOWHERE {
                            at = (at + 1) & (places.len() - 1);
                        }
                        places[at] = index;
                    }
                }
            } else {
                let point = places[at] as usize;
                points.truncate(refs.len() * columns);
                if refs[point] < TOTAL {
                    let total = self.totals.push(self.given.len());
                    add(self.group, self.given, &mut self.totals, total, refs[point]);
                    refs[point] = TOTAL + total as u32;
                }
                add(self.group, self.given, &mut self.totals, (refs[point] - TOTAL) as usize, donor);
            }
            if donor as usize + 1 == check {
                check *= 2;
                if 4 * refs.len() > 3 * (donor as usize + 1) {
                    places = vec![];
                }
            }
        }
        (points, refs)
    }

    /// Builds the part over some rows. Its points end up at the front of `points` and `refs`.
    fn grow<const D: usize>(&self, points: &mut [f64], refs: &mut [u32], depth: usize) -> Part {
        let columns = if D == 0 { self.columns } else { D };
        if refs.len() <= self.alone {
            let mut builder = Builder::<D> { source: self, part: Part::default(), points, refs };
            builder.grow(0, builder.refs.len(), depth);
            return builder.part;
        }
        let mut part = Part::default();
        push_box::<D>(&mut part.boxes, points, columns);
        let Some(left) = partition::<D>(points, refs, &part.boxes, depth, columns) else {
            let mut builder = Builder::<D> { source: self, part: Part::default(), points, refs };
            builder.grow(0, builder.refs.len(), depth);
            return builder.part;
        };
        let (points_left, points_right) = points.split_at_mut(left * columns);
        let (refs_left, refs_right) = refs.split_at_mut(left);
        let (left_part, right_part) = std::thread::scope(|scope| {
            let right = scope.spawn(|| self.grow::<D>(points_right, refs_right, depth + 1));
            let left = self.grow::<D>(points_left, refs_left, depth + 1);
            (left, right.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        // Close the gap behind the points of the left part.
        points.copy_within(left * columns..(left + right_part.points) * columns, left_part.points * columns);
        refs.copy_within(left..left + right_part.points, left_part.points);
        let all = left_part.points + right_part.points;
        let totals = left_part.totals.counts.len() as u32;
        refs[left_part.points..all].iter_mut().filter(|at| **at >= TOTAL).for_each(|at| *at += totals);
        part.points = all;
        part.nodes = vec![Node { right: 1 + left_part.nodes.len() as u32, start: 0, end: all as u32 }];
        let offset = left_part.points as u32;
        part.nodes.extend(left_part.nodes);
        part.nodes.extend(right_part.nodes.iter().map(|node| Node {
            right: node.right,
            start: node.start + offset,
            end: node.end + offset,
        }));
        part.boxes.extend(left_part.boxes);
        part.boxes.extend(right_part.boxes);
        part.totals = left_part.totals;
        part.totals.counts.extend(right_part.totals.counts);
        part.totals.sums.extend(right_part.totals.sums);
        part
    }
}

/// Builds a part on one thread, front to back: points are written where rows were that are done.
struct Builder<'a, const D: usize> {
    source: &'a Source<'a>,
    part: Part,
    points: &'a mut [f64],
    refs: &'a mut [u32],
}

impl<const D: usize> Builder<'_, D> {
    fn columns(&self) -> usize {
        if D == 0 { self.source.columns } else { D }
    }

    fn grow(&mut self, start: usize, end: usize, depth: usize) {
        let columns = self.columns();
        let (at, first) = (self.part.nodes.len(), self.part.points);
        self.part.nodes.push(Node { right: 0, start: first as u32, end: 0 });
        let rows = &mut self.points[start * columns..end * columns];
        push_box::<D>(&mut self.part.boxes, rows, columns);
        let cut = if end - start > LEAF {
            let sides = &self.part.boxes[at * 2 * columns..];
            partition::<D>(rows, &mut self.refs[start..end], sides, depth, columns)
        } else {
            None
        };
        if let Some(left) = cut {
            self.grow(start, start + left, depth + 1);
            self.part.nodes[at].right = (self.part.nodes.len() - at) as u32;
            self.grow(start + left, end, depth + 1);
            if self.part.points - first <= LEAF {
                // Many donors at few places: one leaf holds them.
                self.part.nodes.truncate(at + 1);
                self.part.boxes.truncate((at + 1) * 2 * columns);
                self.part.nodes[at].right = 0;
            }
        } else {
            self.collapse(start, end);
        }
        self.part.nodes[at].end = self.part.points as u32;
    }

    /// Writes the distinct points of a leaf, whose rows are few or all equal.
    fn collapse(&mut self, start: usize, end: usize) {
        let columns = self.columns();
        let first = self.part.points;
        for row in start..end {
            let from = row * columns..(row + 1) * columns;
            let reference = self.refs[row];
            let same = (first..self.part.points)
                .find(|point| self.points[point * columns..(point + 1) * columns] == self.points[from.clone()]);
            if let Some(point) = same {
                let total = self.total(self.refs[point], point);
                self.add(total, reference);
            } else {
                let point = self.part.points;
                self.points.copy_within(from, point * columns);
                self.part.points += 1;
                self.refs[point] = reference;
                if reference >= TOTAL {
                    // From now on it is one of this part.
                    let total = self.part.totals.push(self.source.given.len());
                    self.add(total, reference);
                    self.refs[point] = TOTAL + total as u32;
                }
            }
        }
    }

    /// The total that a written point has, or gets now.
    fn total(&mut self, reference: u32, point: usize) -> usize {
        if reference >= TOTAL {
            return (reference - TOTAL) as usize;
        }
        let total = self.part.totals.push(self.source.given.len());
        self.add(total, reference);
        self.refs[point] = TOTAL + total as u32;
        total
    }

    /// Adds what a row refers to.
    fn add(&mut self, total: usize, reference: u32) {
        let Source { group, given, totals, .. } = self.source;
        if reference < TOTAL {
            return add(group, given, &mut self.part.totals, total, reference);
        }
        let from = (reference - TOTAL) as usize;
        self.part.totals.counts[total] += totals.counts[from];
        let sums = self.part.totals.sums[total * given.len()..].iter_mut();
        sums.zip(&totals.sums[from * given.len()..][..given.len()]).for_each(|(sum, more)| *sum += more);
    }
}

impl Totals {
    /// A new total, of nothing yet.
    fn push(&mut self, given: usize) -> usize {
        self.counts.push(0);
        self.sums.resize(self.counts.len() * given, 0);
        self.counts.len() - 1
    }
}

fn add(group: &Group, given: &[(usize, Quantum)], totals: &mut Totals, total: usize, donor: u32) {
    totals.counts[total] += 1;
    let row = &group.values[donor as usize * group.width..][..group.width];
    for (sum, (place, quantum)) in totals.sums[total * given.len()..].iter_mut().zip(given) {
        *sum += i128::from(quantum.quanta(row[*place]));
    }
}

fn push_box<const D: usize>(boxes: &mut Vec<f64>, points: &[f64], columns: usize) {
    let at = boxes.len();
    boxes.resize(at + columns, f64::INFINITY);
    boxes.resize(at + 2 * columns, f64::NEG_INFINITY);
    let (low, high) = boxes[at..].split_at_mut(columns);
    if D > 0 {
        // In registers.
        let (mut least, mut most) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
        for point in points.as_chunks::<D>().0 {
            for j in 0..D {
                least[j] = if point[j] < least[j] { point[j] } else { least[j] };
                most[j] = if point[j] > most[j] { point[j] } else { most[j] };
            }
        }
        low.copy_from_slice(&least);
        high.copy_from_slice(&most);
        return;
    }
    for point in points.chunks_exact(columns) {
        for ((low, high), value) in low.iter_mut().zip(&mut *high).zip(point) {
            *low = low.min(*value);
            *high = high.max(*value);
        }
    }
}

/// Brings the rows to the left of a cut to the front and returns how many they are; `None` where all are equal.
fn partition<const D: usize>(
    points: &mut [f64],
    refs: &mut [u32],
    sides: &[f64],
    depth: usize,
    columns: usize,
) -> Option<usize> {
    let columns = if D == 0 { columns } else { D };
    let width = |j: usize| sides[columns + j] - sides[j];
    let column = (0..columns).reduce(|widest, j| if width(j) > width(widest) { j } else { widest })?;
    let low = sides[column];
    if low >= sides[columns + column] {
        return None;
    }
    let rows = refs.len();
    let median = if depth < DEEPEST_SAMPLED {
        let mut sample: [f64; SAMPLE] = std::array::from_fn(|i| points[i * rows / SAMPLE * columns + column]);
        *sample.select_nth_unstable_by(SAMPLE / 2, f64::total_cmp).1
    } else {
        let mut values: Vec<f64> = points.iter().skip(column).step_by(columns).copied().collect();
        *values.select_nth_unstable_by(rows / 2, f64::total_cmp).1
    };
    // Both sides get a row: `low` is below the cut, the largest value is not.
    let cut = if median > low { median } else { low.next_up() };
    let (mut left, mut right) = (0, rows);
    loop {
        while left < right && points[left * columns + column] < cut {
            left += 1;
        }
        while left < right && points[(right - 1) * columns + column] >= cut {
            right -= 1;
        }
        if left >= right {
            return Some(left);
        }
        right -= 1;
        for j in 0..columns {
            points.swap(left * columns + j, right * columns + j);
        }
        refs.swap(left, right);
        left += 1;
    }
}
