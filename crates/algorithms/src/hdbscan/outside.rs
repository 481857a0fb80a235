//! The search that Boruvka's rounds are made of: the nearest point outside of a component, under mutual reachability.

use super::spatial_tree::{Node, SpatialTree};

/// Of a node: its points are in several components.
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
    /// Anything with a squared reach of at most `limit` is nearer.
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
        if let Some((left, right)) = node.children() {
            waiting.extend([left, right]);
        }
    }
    for node in nodes.into_iter().rev() {
        labels[node.index] = match node.children() {
            Some((left, right)) if labels[left.index] == labels[right.index] => labels[left.index],
            Some(_) => MIXED,
            None => {
                let mut points = component[node.points(tree.len())].iter();
                let first = points.next().copied().unwrap_or(MIXED);
                if points.all(|other| *other == first) { first } else { MIXED }
            }
        };
    }
    labels
}

/// A point that looks for the nearest one outside of its component.
pub(super) struct Query<'a, const D: usize> {
    pub(super) searched: LabelledTree<'a, D>,
    pub(super) point: [f64; D],
    pub(super) id: u64,
    pub(super) squared_core: f64,
    pub(super) component: u32,
    pub(super) best: Nearest,
}

impl<const D: usize> Query<'_, D> {
    pub(super) fn run(&mut self) {
        if let Some(root) = self.searched.tree.root() {
            self.visit(root);
        }
    }

    fn visit(&mut self, node: Node) {
        let Some((left, right)) = node.children() else {
            self.look_into(node.first_leaf);
            return;
        };
        let distance = |node: Node| {
            if self.searched.node_component[node.index] == self.component {
                f64::INFINITY
            } else {
                self.searched.tree.node_bounds(node).squared_distance(&self.point)
            }
        };
        let (mut near, mut far) = ((distance(left), left), (distance(right), right));
        if far.0 < near.0 {
            std::mem::swap(&mut near, &mut far);
        }
        // Equal is not enough to pass over a node: it may hold an edge of the same reach that comes before.
        if near.0 < f64::INFINITY && near.0 <= self.best.squared_reach {
            self.visit(near.1);
        }
        if far.0 < f64::INFINITY && far.0 <= self.best.squared_reach {
            self.visit(far.1);
        }
    }

    #[inline(always)]
    fn look_into(&mut self, leaf: usize) {
        let point = self.point;
        let tree = self.searched.tree;
        tree.leaf_distances(leaf, &point, |first, distances| {
            for (j, distance) in (first..).zip(distances) {
                if *distance <= self.best.squared_reach {
                    self.consider(j, *distance);
                }
            }
        });
    }

    #[inline(always)]
    fn consider(&mut self, j: usize, squared_distance: f64) {
        let searched = &self.searched;
        let squared_reach = squared_distance.max(self.squared_core).max(searched.squared_core[j]);
        let best = &self.best;
        if squared_reach > best.squared_reach || searched.component[j] == self.component {
            return;
        }
        let before = squared_reach < best.squared_reach
            || squared_distance < best.squared_distance
            || (squared_distance == best.squared_distance && ordered(self.id, searched.ids[j]) < best.ids);
        if before {
            let ids = ordered(self.id, searched.ids[j]);
            self.best = Nearest { squared_reach, squared_distance, ids, target: j as u32 };
        }
    }
}
