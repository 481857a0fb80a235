//! The search that Boruvka's rounds are made of: the nearest point outside of a component, under mutual reachability.

use crate::spatial_tree::{BoundingBox, LEAF, Node, SpatialTree};

/// Marks a node whose points are in several components.
pub(super) const MIXED: u32 = u32::MAX;
/// No point.
pub(super) const NONE: u32 = u32::MAX;

/// A tree whose points know their core distances, ids and components.
#[derive(Debug, Clone, Copy)]
pub struct LabelledTree<'a, const D: usize> {
    /// The tree.
    pub tree: &'a SpatialTree<D>,
    /// Squared core distances.
    pub squared_core: &'a [f64],
    /// Ids, distinct over all trees.
    pub ids: &'a [u64],
    /// Component of each point.
    pub component: &'a [u32],
    /// Component of each node, from [`label_nodes`].
    pub node_component: &'a [u32],
}

/// An edge out of a component, or the limit of what is looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Squared mutual reachability distance.
    pub squared_reach: f64,
    /// Squared Euclidean distance.
    pub squared_distance: f64,
    /// Ids of the two ends, the smaller first.
    pub ids: (u64, u64),
    /// The point outside, in the tree that was searched; `u32::MAX` while there is none.
    pub target: u32,
}

impl Nearest {
    /// A limit: only edges with a squared reach of at most `limit` are nearer.
    #[must_use]
    pub fn within(limit: f64) -> Self {
        Self { squared_reach: limit, squared_distance: f64::INFINITY, ids: (u64::MAX, u64::MAX), target: NONE }
    }

    /// The strict order of edges: reach, distance, ids.
    #[must_use]
    pub fn key(&self) -> (f64, f64, (u64, u64)) {
        (self.squared_reach, self.squared_distance, self.ids)
    }
}

pub(super) fn ordered(a: u64, b: u64) -> (u64, u64) {
    if a < b { (a, b) } else { (b, a) }
}

/// The component of each node: that of all of its points, or `u32::MAX` when they are in several.
#[must_use]
pub fn label_nodes<const D: usize>(tree: &SpatialTree<D>, component: &[u32]) -> Vec<u32> {
    let mut labels = vec![MIXED; tree.nodes()];
    // Children come after their parent in preorder.
    let mut nodes = Vec::with_capacity(tree.nodes());
    let mut waiting: Vec<Node> = tree.root().into_iter().collect();
    while let Some(node) = waiting.pop() {
        nodes.push(node);
        if let Some((left, right)) = tree.children(node) {
            waiting.extend([left, right]);
        }
    }
    for node in nodes.into_iter().rev() {
        labels[node.index] = match tree.children(node) {
            Some((left, right)) if labels[left.index] == labels[right.index] => labels[left.index],
            Some(_) => MIXED,
            None => {
                let mut points = component[tree.points(node)].iter();
                let first = points.next().copied().unwrap_or(MIXED);
                if points.all(|other| *other == first) { first } else { MIXED }
            }
        };
    }
    labels
}

/// Points of one component, no further apart than a leaf of their tree, that look together for the nearest point outside
/// of it: one walk down the tree serves all of them.
pub(super) struct Queries<'a, const D: usize> {
    searched: LabelledTree<'a, D>,
    component: u32,
    bounds: BoundingBox<D>,
    points: [[f64; D]; LEAF],
    ids: [u64; LEAF],
    squared_cores: [f64; LEAF],
    places: [u32; LEAF],
    count: usize,
    /// The best edge so far; at first, the limit.
    pub(super) best: Nearest,
    /// The end of the best edge in the component: its place in the tree it comes from.
    pub(super) from: u32,
}

impl<'a, const D: usize> Queries<'a, D> {
    pub(super) fn new(searched: LabelledTree<'a, D>) -> Self {
        Self {
            searched,
            component: MIXED,
            bounds: BoundingBox::EMPTY,
            points: [[0.0; D]; LEAF],
            ids: [0; LEAF],
            squared_cores: [0.0; LEAF],
            places: [NONE; LEAF],
            count: 0,
            best: Nearest::within(0.0),
            from: NONE,
        }
    }

    /// Starts again, without a point.
    pub(super) fn start(&mut self, component: u32, best: Nearest) {
        (self.component, self.best, self.from) = (component, best, NONE);
        (self.count, self.bounds) = (0, BoundingBox::EMPTY);
    }

    /// Adds point `i` of `own`, at most [`LEAF`] of them.
    pub(super) fn push(&mut self, own: LabelledTree<'_, D>, i: usize) {
        let q = self.count;
        self.points[q] = own.tree.point(i);
        self.ids[q] = own.ids[i];
        self.squared_cores[q] = own.squared_core[i];
        self.places[q] = i as u32;
        self.bounds.include(&self.points[q]);
        self.count += 1;
    }

    /// The places of the points that were added.
    pub(super) fn places(&self) -> &[u32] {
        &self.places[..self.count]
    }

    pub(super) fn run(&mut self) {
        if let Some(root) = self.searched.tree.root() {
            self.visit(root);
        }
    }

    fn visit(&mut self, node: Node) {
        let Some((left, right)) = self.searched.tree.children(node) else {
            self.look_into(node);
            return;
        };
        let distance = |node: Node| {
            if self.searched.node_component[node.index] == self.component {
                f64::INFINITY
            } else {
                self.searched.tree.node_bounds(node).squared_distance_to_box(&self.bounds)
            }
        };
        let (mut near, mut far) = ((distance(left), left), (distance(right), right));
        if far.0 < near.0 {
            std::mem::swap(&mut near, &mut far);
        }
        // A node at the same distance cannot be skipped: it may hold an edge of the same reach that comes first in the
        // order.
        if near.0 < f64::INFINITY && near.0 <= self.best.squared_reach {
            self.visit(near.1);
        }
        if far.0 < f64::INFINITY && far.0 <= self.best.squared_reach {
            self.visit(far.1);
        }
    }

    #[inline(always)]
    fn look_into(&mut self, node: Node) {
        let tree = self.searched.tree;
        let bounds = tree.node_bounds(node);
        for q in 0..self.count {
            let point = self.points[q];
            let limit = self.best.squared_reach;
            if self.squared_cores[q] > limit || bounds.squared_distance(&point) > limit {
                continue;
            }
            tree.leaf_distances(node.first_leaf, &point, |first, distances| {
                for (j, distance) in (first..).zip(distances) {
                    if *distance <= self.best.squared_reach {
                        self.consider(q, j, *distance);
                    }
                }
            });
        }
    }

    #[inline(always)]
    fn consider(&mut self, q: usize, j: usize, squared_distance: f64) {
        let searched = &self.searched;
        let squared_reach = squared_distance.max(self.squared_cores[q]).max(searched.squared_core[j]);
        let best = &self.best;
        if squared_reach > best.squared_reach || searched.component[j] == self.component {
            return;
        }
        let before = squared_reach < best.squared_reach
            || squared_distance < best.squared_distance
            || (squared_distance == best.squared_distance && ordered(self.ids[q], searched.ids[j]) < best.ids);
        if before {
            let ids = ordered(self.ids[q], searched.ids[j]);
            self.best = Nearest { squared_reach, squared_distance, ids, target: j as u32 };
            self.from = self.places[q];
        }
    }
}
