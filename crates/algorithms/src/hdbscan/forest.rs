//! From the trees of single cells to the tree of all points.
//!
//! The minimum spanning tree of all points consists of edges of the cells' own trees and of edges between cells. For
//! most of its edges a cell can tell that they belong to it ([`certain_edges`]). Taken by length, an edge joins two
//! sets of points, and if no edge to another cell that is as short leaves one of them, nothing can replace it. The
//! points that these edges hold together are a *fragment*. The fragments are joined by rounds of Boruvka's algorithm
//! over all cells: each cell looks in the others for the nearest point outside of the components its points are in
//! ([`nearest_in_other`]), and the driver compares the results with the cells' own remaining edges, and joins.

use super::outside::{LabelledTree, MIXED, Nearest, Queries, ordered};
use super::spanning_tree::TreeEdge;
use super::union_find::UnionFind;
use crate::hashing::mix;
use crate::spatial_tree::{BoundingBox, LEAF, Node, SpatialTree, squared_distance};

/// What a cell knows of the tree of all points.
#[derive(Debug, Clone, PartialEq)]
pub struct CellForest {
    /// Fragment of each point, numbered from 0 in the order of their first points.
    pub fragment: Vec<u32>,
    /// Number of fragments.
    pub fragments: u32,
    /// Edges that belong to the tree: `points - fragments`.
    pub certain: Vec<TreeEdge>,
    /// The other edges of the cell's own tree. Edges between cells may replace them.
    pub open: Vec<TreeEdge>,
}

/// For each point the least squared distance to one of the boxes of the other cells; infinite without others.
#[must_use]
pub fn distances_to_others<const D: usize>(tree: &SpatialTree<D>, others: &[BoundingBox<D>]) -> Vec<f64> {
    let mut distances = vec![f64::INFINITY; tree.len()];
    let bounds = tree.bounds();
    let mut others: Vec<(f64, &BoundingBox<D>)> =
        others.iter().map(|other| (bounds.squared_distance_to_box(other), other)).collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (i, distance) in distances.iter_mut().enumerate() {
        let point = tree.point(i);
        for (from_bounds, other) in &others {
            if from_bounds >= distance {
                break;
            }
            *distance = distance.min(other.squared_distance(&point));
        }
    }
    distances
}

/// Sorts the edges of a cell's own tree into those that are certain and those that are open.
///
/// `to_others` comes from [`distances_to_others`]. Memory: 20 bytes a point beside the result.
#[must_use]
pub fn certain_edges(mut edges: Vec<TreeEdge>, squared_core: &[f64], ids: &[u64], to_others: &[f64]) -> CellForest {
    let n = squared_core.len();
    let key = |edge: &TreeEdge| {
        let ids = ordered(ids[edge.a as usize], ids[edge.b as usize]);
        (edge.squared_reach, edge.squared_distance, ids)
    };
    edges.sort_unstable_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal));
    // No edge to another cell that leaves a set of points is shorter than this; indexed by the set's name.
    let mut frontier: Vec<f64> = squared_core.iter().zip(to_others).map(|(core, wall)| core.max(*wall)).collect();
    let mut sets = UnionFind::new(n);
    let mut fragments = UnionFind::new(n);
    let (mut certain, mut open) = (Vec::new(), Vec::new());
    for edge in edges {
        let (a, b) = (frontier[sets.find(edge.a) as usize], frontier[sets.find(edge.b) as usize]);
        if edge.squared_reach < a.max(b) {
            fragments.unite(edge.a, edge.b);
            certain.push(edge);
        } else {
            open.push(edge);
        }
        sets.unite(edge.a, edge.b);
        let joined = sets.find(edge.a) as usize;
        frontier[joined] = a.min(b);
    }
    let mut number = vec![MIXED; n];
    let mut count = 0;
    let fragment = (0..n as u32)
        .map(|i| {
            let root = fragments.find(i) as usize;
            if number[root] == MIXED {
                number[root] = count;
                count += 1;
            }
            number[root]
        })
        .collect();
    CellForest { fragment, fragments: count, certain, open }
}

/// What a component has found from one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outward {
    /// The best edge so far; at first, the limit.
    pub best: Nearest,
    /// Its end in the component, in the cell's tree.
    pub from: u32,
    /// The caller's number of the cell that its other end is in.
    pub cell: u32,
}

/// Looks in `other` (called `cell`) for edges out of the components of the points of `own` that come before the best known
/// ones. `slots[i]` is the place in `found` of the component of point `i`.
pub fn nearest_in_other<const D: usize>(
    own: LabelledTree<'_, D>,
    other: LabelledTree<'_, D>,
    cell: u32,
    slots: &[u32],
    found: &mut [Outward],
) {
    look(own, other, cell, slots, found, None);
}

/// As [`nearest_in_other`], but approximately. It is for many columns, where boxes say little about distances and a
/// search looks at nearly every pair. A few points of each component look for their nearest point. From there the two
/// ends take turns to look for a point nearer to the other end, until neither finds one.
///
/// A function of the points and their ids. `4` bytes a point.
pub fn near_in_other<const D: usize>(
    own: LabelledTree<'_, D>,
    other: LabelledTree<'_, D>,
    cell: u32,
    slots: &[u32],
    found: &mut [Outward],
) {
    let members = Members::of(slots, found.len());
    let asking = (ASKING / found.len().max(1)).clamp(LEAST_ASKING, MOST_ASKING);
    let mut asked = vec![false; slots.len()];
    for slot in 0..found.len() {
        let mut points = members.of_slot(slot).to_vec();
        let key = |point: &u32| mix(own.ids[*point as usize]);
        if points.len() > asking {
            points.select_nth_unstable_by_key(asking, key);
        }
        points.iter().take(asking).for_each(|point| asked[*point as usize] = true);
    }
    let before: Vec<Nearest> = found.iter().map(|outward| outward.best).collect();
    look(own, other, cell, slots, found, Some(&asked));
    let mut queries = Queries::new(other);
    for (slot, before) in before.into_iter().enumerate() {
        let outward = &mut found[slot];
        if outward.best == before {
            continue;
        }
        for _ in 0..TURNS {
            let best = outward.best;
            let target = best.target as usize;
            let to = other.tree.point(target);
            for &i in members.of_slot(slot) {
                let i = i as usize;
                let squared_distance = squared_distance(&own.tree.point(i), &to);
                let squared_reach = squared_distance.max(own.squared_core[i]).max(other.squared_core[target]);
                let ids = ordered(own.ids[i], other.ids[target]);
                let nearer = Nearest { squared_reach, squared_distance, ids, target: best.target };
                if nearer.key() < outward.best.key() {
                    (outward.best, outward.from) = (nearer, i as u32);
                }
            }
            if outward.best == best {
                break;
            }
            let from = outward.from as usize;
            queries.start(own.component[from], outward.best);
            queries.push(own, from);
            queries.run();
            if queries.best == outward.best {
                break;
            }
            outward.best = queries.best;
        }
    }
}

/// Points of all components together that look for their nearest in [`near_in_other`], and the least and most of one component.
const ASKING: usize = 4_096;
const LEAST_ASKING: usize = 4;
const MOST_ASKING: usize = 64;
/// How often the ends of an edge take turns, at most.
const TURNS: usize = 8;

/// The points of each slot.
struct Members {
    points: Vec<u32>,
    starts: Vec<usize>,
}

impl Members {
    fn of(slots: &[u32], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        slots.iter().for_each(|slot| starts[*slot as usize + 1] += 1);
        (0..count).for_each(|slot| starts[slot + 1] += starts[slot]);
        let (mut next, mut points) = (starts.clone(), vec![0; slots.len()]);
        for (i, slot) in (0..).zip(slots) {
            points[next[*slot as usize]] = i;
            next[*slot as usize] += 1;
        }
        Self { points, starts }
    }

    fn of_slot(&self, slot: usize) -> &[u32] {
        &self.points[self.starts[slot]..self.starts[slot + 1]]
    }
}

/// Only the points that are `asked` look.
fn look<const D: usize>(
    own: LabelledTree<'_, D>,
    other: LabelledTree<'_, D>,
    cell: u32,
    slots: &[u32],
    found: &mut [Outward],
    asked: Option<&[bool]>,
) {
    let Some(root) = own.tree.root() else { return };
    let bounds = other.tree.bounds();
    let widest = found.iter().fold(0.0, |widest, outward| f64::max(widest, outward.best.squared_reach));
    Outlook { own, queries: Queries::new(other), cell, slots, found, asked, bounds, widest }.visit(root);
}

/// The squared distance up to which another cell may matter to the components of `found`.
#[must_use]
pub fn widest(found: &[Outward]) -> f64 {
    found.iter().fold(0.0, |widest, outward| f64::max(widest, outward.best.squared_reach))
}

struct Outlook<'a, 'b, const D: usize> {
    own: LabelledTree<'a, D>,
    queries: Queries<'a, D>,
    cell: u32,
    slots: &'b [u32],
    found: &'b mut [Outward],
    asked: Option<&'b [bool]>,
    bounds: BoundingBox<D>,
    widest: f64,
}

impl<const D: usize> Outlook<'_, '_, D> {
    fn distance(&self, node: Node) -> f64 {
        self.own.tree.node_bounds(node).squared_distance_to_box(&self.bounds)
    }

    /// Nearest nodes first: what they find keeps the rest from searching.
    fn visit(&mut self, node: Node) {
        let points = self.own.tree.points(node);
        let limit = if self.own.node_component[node.index] == MIXED {
            self.widest
        } else {
            self.found[self.slots[points.start] as usize].best.squared_reach
        };
        if self.distance(node) > limit {
            return;
        }
        if let Some((left, right)) = self.own.tree.children(node) {
            let (near, far) = if self.distance(right) < self.distance(left) { (right, left) } else { (left, right) };
            self.visit(near);
            self.visit(far);
            return;
        }
        let mut done = [false; LEAF];
        for i in points.clone() {
            if done[i - points.start] {
                continue;
            }
            let slot = self.slots[i];
            let best = self.found[slot as usize].best;
            self.queries.start(self.own.component[i], best);
            for j in (i..points.end).filter(|j| self.slots[*j] == slot) {
                done[j - points.start] = true;
                if self.asked.is_some_and(|asked| !asked[j]) {
                    continue;
                }
                let is_near = || self.bounds.squared_distance(&self.own.tree.point(j)) <= best.squared_reach;
                if self.own.squared_core[j] <= best.squared_reach && is_near() {
                    self.queries.push(self.own, j);
                }
            }
            if self.queries.places().is_empty() {
                continue;
            }
            self.queries.run();
            if self.queries.best != best {
                self.found[slot as usize] =
                    Outward { best: self.queries.best, from: self.queries.from, cell: self.cell };
            }
        }
    }
}
