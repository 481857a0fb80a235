//! The condensed tree: how clusters of at least `min_cluster_size` rows are born, lose points, and split, as the distance
//! falls (Campello, Moulavi and Sander 2013; McInnes and Healy 2017).
//!
//! It is built from the bottom up, straight from the sorted edges of the spanning tree, without a dendrogram in
//! between. All merges at one height happen at once. So a cluster may split into more than two, and the tree depends
//! only on the set of points. The hdbscan package and scikit-learn split in two at a time, in an order that depends on
//! that of the rows, and get clusters there that are born and die at the same height, with a stability of 0. The
//! difference also shows at a point whose own core distance is where two clusters join: both edges have that length,
//! without any tie in the data. Here the point falls out of the parent, whereas the packages give it to the cluster
//! whose edge they happen to take first.

use super::union_find::UnionFind;

/// An edge of the spanning tree: 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// Mutual reachability distance.
    pub distance: f64,
    /// One end.
    pub a: u32,
    /// The other.
    pub b: u32,
}

/// Sorts edges by distance, as [`CondensedTree::new`] wants them.
pub fn sort_edges(edges: &mut [Edge]) {
    edges.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance));
}

/// Points that stand for several rows.
#[derive(Debug, Clone, Copy)]
pub struct WeightedPoints<'a> {
    /// Rows of each point, at least 1.
    pub weights: &'a [u32],
    /// Core distance of each point: where its rows come together.
    pub core_distances: &'a [f64],
}

/// Serialises infinity as nothing, because JSON cannot express it.
pub mod infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// As an option.
    ///
    /// # Errors
    /// The serializer's.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    /// From an option.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}

/// A cluster of the condensed tree.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CondensedCluster {
    /// The cluster it splits off; `None` for the root.
    pub parent: Option<u32>,
    /// Distance below which it is a cluster of its own; infinite for the root.
    #[serde(with = "infinite")]
    pub birth: f64,
    /// Distance at which it splits, or at which its last points fall out.
    pub death: f64,
    /// Its rows at birth.
    pub size: u64,
    /// Sum over its rows of (lambda at which the row leaves it - lambda at birth), lambda = 1 / distance.
    #[serde(with = "infinite")]
    pub stability: f64,
}

/// 1 / distance: how dense. Infinite at a distance of 0.
#[must_use]
pub fn lambda(distance: f64) -> f64 {
    1.0 / distance
}

/// The condensed tree. Clusters come after their parents; the root is the first.
#[derive(Debug, Clone, PartialEq)]
pub struct CondensedTree {
    /// The clusters, by birth (the largest distance first), then size (the largest first), then death.
    pub clusters: Vec<CondensedCluster>,
    /// For each point the cluster that it falls out of.
    pub point_cluster: Vec<u32>,
    /// For each point, the distance at which it falls out.
    pub point_height: Vec<f64>,
}

const NONE: u32 = u32::MAX;

/// Edges between two calls of `progress`.
const PROGRESS_EVERY: usize = 1 << 20;

struct Condensing<'a> {
    points: Option<WeightedPoints<'a>>,
    min_cluster_size: u64,
    components: UnionFind,
    /// By component: its rows.
    size: Vec<u64>,
    /// By component: its cluster, or [`NONE`] while it is too small.
    cluster: Vec<u32>,
    /// The points of a small component, in a ring.
    next: Vec<u32>,
    clusters: Vec<CondensedCluster>,
    /// By cluster: the lambdas of the rows that left it.
    lambdas: Vec<f64>,
    point_cluster: Vec<u32>,
    point_height: Vec<f64>,
}

impl CondensedTree {
    /// Condenses the `n - 1` edges of a spanning tree of `n` points, sorted by [`sort_edges`].
    ///
    /// If points stand for more than one row, `points` says for how many: a point of weight `w` is born at its core
    /// distance with size `w`, just as `w` equal rows would be. `min_cluster_size` is in rows, at least 2. `progress`
    /// is told from time to time how many edges are done.
    ///
    /// Linear in the number of points. Memory: 40 bytes a point beside the edges (16) and weights (12, if any); 24 of them
    /// stay.
    #[must_use]
    pub fn new(
        n: usize,
        edges: &[Edge],
        points: Option<WeightedPoints<'_>>,
        min_cluster_size: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Self {
        let mut condensing = Condensing {
            points,
            min_cluster_size,
            components: UnionFind::new(n),
            size: match points {
                Some(points) => points.weights.iter().map(|weight| u64::from(*weight)).collect(),
                None => vec![1; n],
            },
            cluster: vec![NONE; n],
            next: (0..n as u32).collect(),
            clusters: Vec::new(),
            lambdas: Vec::new(),
            point_cluster: vec![NONE; n],
            point_height: vec![f64::INFINITY; n],
        };
        let mut members = Vec::new();
        let (mut start, mut told) = (0, 0);
        while start < edges.len() {
            let height = edges[start].distance;
            let length = edges[start..].iter().take_while(|edge| edge.distance == height).count();
            condensing.merge(height, &edges[start..start + length], &mut members);
            start += length;
            if start - told >= PROGRESS_EVERY {
                told = start;
                progress(start);
            }
        }
        condensing.finish(edges.last().map(|edge| edge.distance))
    }
}

impl Condensing<'_> {
    fn new_cluster(&mut self, death: f64) -> u32 {
        let cluster = CondensedCluster { parent: None, birth: f64::INFINITY, death, size: 0, stability: 0.0 };
        self.clusters.push(cluster);
        self.lambdas.push(0.0);
        (self.clusters.len() - 1) as u32
    }

    /// The rows of a heavy point come together at its core distance: above that it is a cluster.
    fn awaken(&mut self, component: u32, height: f64) {
        let Some(points) = self.points else { return };
        let i = component as usize;
        if self.cluster[i] == NONE && self.size[i] >= self.min_cluster_size {
            // A component that large which is not a cluster is a point that was never merged.
            let core = points.core_distances[i];
            if core < height {
                let cluster = self.new_cluster(core);
                self.leave(cluster, self.size[i], core);
                self.cluster[i] = cluster;
                self.point_cluster[i] = cluster;
                self.point_height[i] = core;
            }
        }
    }

    fn leave(&mut self, cluster: u32, rows: u64, height: f64) {
        self.lambdas[cluster as usize] += rows as f64 * lambda(height);
    }

    /// Merges along all edges of one height.
    fn merge(&mut self, height: f64, edges: &[Edge], members: &mut Vec<(u32, u32)>) {
        members.clear();
        for edge in edges {
            for end in [edge.a, edge.b] {
                let component = self.components.find(end);
                self.awaken(component, height);
                members.push((component, component));
            }
        }
        for edge in edges {
            self.components.unite(edge.a, edge.b);
        }
        for (merged, component) in members.iter_mut() {
            *merged = self.components.find(*component);
        }
        members.sort_unstable();
        members.dedup();
        let mut start = 0;
        while start < members.len() {
            let merged = members[start].0;
            let length = members[start..].iter().take_while(|member| member.0 == merged).count();
            self.merge_one(height, merged as usize, &members[start..start + length]);
            start += length;
        }
    }

    fn merge_one(&mut self, height: f64, merged: usize, members: &[(u32, u32)]) {
        let (mut total, mut small, mut large, mut last) = (0, 0, 0, NONE);
        for &(_, component) in members {
            let size = self.size[component as usize];
            total += size;
            match self.cluster[component as usize] {
                NONE => small += size,
                cluster => {
                    large += 1;
                    last = cluster;
                }
            }
        }
        let cluster = match large {
            0 if total < self.min_cluster_size => {
                let ring = members[0].1 as usize;
                for &(_, component) in &members[1..] {
                    self.next.swap(ring, component as usize);
                }
                self.size[merged] = total;
                return;
            }
            0 => self.new_cluster(height),
            1 => last,
            _ => {
                let parent = self.new_cluster(height);
                let mut leaving = 0;
                for &(_, component) in members {
                    let child = self.cluster[component as usize];
                    if child != NONE {
                        let size = self.size[component as usize];
                        self.close(child, Some(parent), height, size);
                        leaving += size;
                    }
                }
                small += leaving;
                parent
            }
        };
        // Counted in whole rows, so that the sum does not depend on the order of the points.
        self.leave(cluster, small, height);
        for &(_, component) in members {
            if self.cluster[component as usize] == NONE {
                self.fall_out(component, cluster, height);
            }
        }
        self.size[merged] = total;
        self.cluster[merged] = cluster;
    }

    fn fall_out(&mut self, first: u32, cluster: u32, height: f64) {
        let mut point = first;
        loop {
            self.point_cluster[point as usize] = cluster;
            self.point_height[point as usize] = height;
            point = self.next[point as usize];
            if point == first {
                return;
            }
        }
    }

    fn close(&mut self, cluster: u32, parent: Option<u32>, birth: f64, size: u64) {
        let lambdas = self.lambdas[cluster as usize];
        let closed = &mut self.clusters[cluster as usize];
        (closed.parent, closed.birth, closed.size) = (parent, birth, size);
        let at_birth = lambda(birth) * size as f64;
        // Rows that come together at a distance of 0 are infinitely dense. A cluster born there is too, and its
        // stability is 0.
        closed.stability = if at_birth.is_infinite() { 0.0 } else { lambdas - at_birth };
    }

    fn finish(mut self, highest: Option<f64>) -> CondensedTree {
        let n = self.point_cluster.len();
        if n > 0 {
            let root = self.components.find(0);
            self.awaken(root, f64::INFINITY);
            let size = self.size[root as usize];
            if self.cluster[root as usize] == NONE {
                // Fewer rows than a cluster needs: all of them fall out of the root at once.
                let height = highest.unwrap_or(f64::INFINITY);
                let cluster = self.new_cluster(height);
                self.leave(cluster, size, height);
                self.fall_out(root, cluster, height);
                self.cluster[root as usize] = cluster;
            }
            let cluster = self.cluster[root as usize];
            self.close(cluster, None, f64::INFINITY, size);
        }
        let mut order: Vec<u32> = (0..self.clusters.len() as u32).collect();
        order.sort_by(|a, b| {
            let (a, b) = (&self.clusters[*a as usize], &self.clusters[*b as usize]);
            b.birth.total_cmp(&a.birth).then(b.size.cmp(&a.size)).then(b.death.total_cmp(&a.death))
        });
        let mut place = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(cluster, i)| place[*cluster as usize] = i);
        let mut clusters: Vec<CondensedCluster> = order.iter().map(|i| self.clusters[*i as usize]).collect();
        for cluster in &mut clusters {
            cluster.parent = cluster.parent.map(|parent| place[parent as usize]);
        }
        self.point_cluster.iter_mut().for_each(|cluster| *cluster = place[*cluster as usize]);
        CondensedTree { clusters, point_cluster: self.point_cluster, point_height: self.point_height }
    }
}
