//! [`Joining`]: the driver's part of the rounds that join the cells' fragments to one tree.

use serde::{Deserialize, Serialize};

use super::outside::Nearest;
use super::union_find::UnionFind;

/// A point: its cell, and its place in the cell's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The cell.
    pub cell: u32,
    /// The point.
    pub point: u32,
}

/// An edge between two fragments or components, and the points that it joins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Squared mutual reachability distance.
    pub squared_reach: f64,
    /// Squared Euclidean distance.
    pub squared_distance: f64,
    /// Ids of the ends, the smaller first.
    pub ids: (u64, u64),
    /// The ends.
    pub points: (Place, Place),
    /// Their fragments, numbered over all cells, or components (which are named by one of their fragments).
    pub fragments: (u32, u32),
}

impl Link {
    fn key(&self) -> (f64, f64, (u64, u64)) {
        (self.squared_reach, self.squared_distance, self.ids)
    }
}

/// Joins fragments by rounds of Boruvka's algorithm.
///
/// Memory: 12 bytes a fragment and 64 for each open edge.
#[derive(Debug)]
pub struct Joining {
    components: UnionFind,
    count: u32,
    left: u32,
    open: Vec<Link>,
    joined: Vec<Link>,
}

/// No edge.
const NONE: u32 = u32::MAX;

impl Joining {
    /// Starts with this many `fragments` and the cells' open edges.
    #[must_use]
    pub fn new(fragments: u32, open: Vec<Link>) -> Self {
        Self { components: UnionFind::new(fragments as usize), count: fragments, left: fragments, open, joined: vec![] }
    }

    /// Starts with the component of each fragment, numbered from 0, where no edge is open.
    #[must_use]
    pub fn of_components(component: &[u32], count: u32) -> Self {
        let mut joining = Self::new(component.len() as u32, vec![]);
        let mut first = vec![NONE; count as usize];
        for (fragment, component) in (0..).zip(component) {
            let first = &mut first[*component as usize];
            if *first == NONE {
                *first = fragment;
            }
            joining.components.unite(*first, fragment);
        }
        joining.left = count;
        joining
    }

    /// Components that are left.
    #[must_use]
    pub fn components(&self) -> u32 {
        self.left
    }

    /// For each fragment, its component and the squared reach of the shortest open edge out of that component: infinite
    /// if there is none.
    #[must_use]
    pub fn limits(&mut self) -> Vec<(u32, f64)> {
        let best = self.best_open();
        (0..self.count)
            .map(|fragment| {
                let component = self.components.find(fragment);
                let limit = match best[component as usize] {
                    NONE => f64::INFINITY,
                    edge => self.open[edge as usize].squared_reach,
                };
                (component, limit)
            })
            .collect()
    }

    fn best_open(&mut self) -> Vec<u32> {
        let components = &mut self.components;
        self.open.retain(|edge| components.find(edge.fragments.0) != components.find(edge.fragments.1));
        let mut best = vec![NONE; self.count as usize];
        for (i, edge) in self.open.iter().enumerate() {
            for fragment in [edge.fragments.0, edge.fragments.1] {
                let slot = &mut best[components.find(fragment) as usize];
                if *slot == NONE || edge.key() < self.open[*slot as usize].key() {
                    *slot = i as u32;
                }
            }
        }
        best
    }

    /// Joins every component along its shortest edge: of its open ones, or of those that were `found` between cells within
    /// [`Joining::limits`] (the component that searched is the first of the link's fragments). Returns how many were joined.
    pub fn join(&mut self, found: &[Link]) -> u32 {
        let mut best: Vec<Option<Link>> =
            self.best_open().into_iter().map(|i| (i != NONE).then(|| self.open[i as usize])).collect();
        for link in found {
            let slot = &mut best[self.components.find(link.fragments.0) as usize];
            if slot.is_none_or(|best| link.key() < best.key()) {
                *slot = Some(*link);
            }
        }
        let before = self.left;
        for link in best.into_iter().flatten() {
            if self.components.unite(link.fragments.0, link.fragments.1) {
                self.left -= 1;
                self.joined.push(link);
            }
        }
        before - self.left
    }

    /// The edges that joined the fragments.
    #[must_use]
    pub fn into_edges(self) -> Vec<Link> {
        self.joined
    }
}

impl Link {
    /// A link that was found between cells.
    #[must_use]
    pub fn found(best: &Nearest, points: (Place, Place), fragments: (u32, u32)) -> Self {
        let Nearest { squared_reach, squared_distance, ids, .. } = *best;
        Self { squared_reach, squared_distance, ids, points, fragments }
    }
}

#[cfg(test)]
mod tests {
    use super::super::core_distances::{CoreSearch, core_distances};
    use super::super::forest::{Outward, certain_edges, distances_to_others, nearest_in_other, widest};
    use super::super::outside::{LabelledTree, label_nodes, ordered};
    use super::super::space_partition::SpacePartition;
    use super::super::spanning_tree::spanning_tree;
    use super::*;
    use crate::hashing::mix;
    use crate::rows::{Rows, matrix};
    use crate::spatial_tree::SpatialTree;
    use ndarray::Array2;
    use proptest::prelude::*;

    type Key = (f64, f64, (u64, u64));

    /// The tree over cells, as the engine builds it.
    fn over_cells(points: &Array2<f64>, ids: &[u64], members: &[Vec<usize>], min_samples: usize) -> Vec<Key> {
        let trees: Vec<_> = members
            .iter()
            .map(|rows| {
                let values = rows.iter().flat_map(|i| points.row_slice(*i).to_vec()).collect();
                SpatialTree::<3>::build(&matrix(values, 3), 1)
            })
            .collect();
        let tree_ids: Vec<Vec<u64>> = trees
            .iter()
            .zip(members)
            .map(|((_, order), rows)| order.iter().map(|row| ids[rows[*row as usize]]).collect())
            .collect();
        let cells = trees.len();
        let (mut forests, mut cores, mut offsets, mut open, mut edges) = (vec![], vec![], vec![], vec![], vec![]);
        let mut fragments = 0;
        for c in 0..cells {
            let others: Vec<_> = (0..cells).filter(|o| *o != c).map(|o| trees[o].0.bounds()).collect();
            let mut search = CoreSearch::new(&trees[c].0, None, min_samples, Some(&others), 1);
            (0..cells).filter(|o| *o != c).for_each(|o| search.extend(&trees[o].0, None));
            let found = search.finish();
            let own = spanning_tree(&trees[c].0, &found, &tree_ids[c], 1);
            let to_others = distances_to_others(&trees[c].0, &others);
            let forest = certain_edges(own, &found.squared_core, &tree_ids[c], &to_others);
            for edge in &forest.open {
                let place = |point| Place { cell: c as u32, point };
                let fragment = |point: u32| fragments + forest.fragment[point as usize];
                open.push(Link {
                    squared_reach: edge.squared_reach,
                    squared_distance: edge.squared_distance,
                    ids: ordered(tree_ids[c][edge.a as usize], tree_ids[c][edge.b as usize]),
                    points: (place(edge.a), place(edge.b)),
                    fragments: (fragment(edge.a), fragment(edge.b)),
                });
            }
            edges.extend(forest.certain.iter().map(|edge| {
                let ids = ordered(tree_ids[c][edge.a as usize], tree_ids[c][edge.b as usize]);
                (edge.squared_reach, edge.squared_distance, ids)
            }));
            offsets.push(fragments);
            fragments += forest.fragments;
            forests.push(forest);
            cores.push(found.squared_core);
        }
        let mut joining = Joining::new(fragments, open);
        while joining.components() > 1 {
            let limits = joining.limits();
            let of = |c: usize, i: usize| limits[(offsets[c] + forests[c].fragment[i]) as usize];
            let component: Vec<Vec<u32>> =
                (0..cells).map(|c| (0..trees[c].0.len()).map(|i| of(c, i).0).collect()).collect();
            let nodes: Vec<Vec<u32>> = (0..cells).map(|c| label_nodes(&trees[c].0, &component[c])).collect();
            let labelled = |c: usize| LabelledTree {
                tree: &trees[c].0,
                squared_core: &cores[c],
                ids: &tree_ids[c],
                component: &component[c],
                node_component: &nodes[c],
            };
            let mut links = Vec::new();
            for c in 0..cells {
                let mut names: Vec<u32> = component[c].clone();
                names.sort_unstable();
                names.dedup();
                let slots: Vec<u32> =
                    component[c].iter().map(|name| names.binary_search(name).unwrap() as u32).collect();
                let mut found: Vec<Outward> = names
                    .iter()
                    .map(|name| Outward { best: Nearest::within(limits[*name as usize].1), from: 0, cell: 0 })
                    .collect();
                for o in (0..cells).filter(|o| *o != c) {
                    if trees[c].0.bounds().squared_distance_to_box(&trees[o].0.bounds()) <= widest(&found) {
                        nearest_in_other(labelled(c), labelled(o), o as u32, &slots, &mut found);
                    }
                }
                for (name, outward) in names.iter().zip(found).filter(|(_, outward)| outward.best.target != NONE) {
                    let to = Place { cell: outward.cell, point: outward.best.target };
                    let places = (Place { cell: c as u32, point: outward.from }, to);
                    links.push(Link::found(
                        &outward.best,
                        places,
                        (*name, component[to.cell as usize][to.point as usize]),
                    ));
                }
            }
            assert!(joining.join(&links) > 0);
        }
        edges.extend(joining.into_edges().iter().map(Link::key));
        edges
    }

    proptest! {
        #[test]
        fn any_cells_give_the_one_tree(
            seed in any::<u64>(), n in 2usize..300, cells in prop::sample::select(vec![1u32, 4, 32]),
            spread in prop::sample::select(vec![8u64, 60, 1 << 40]), min_samples in 1usize..12, near in any::<bool>(),
        ) {
            let mut rows: Vec<[u64; 3]> =
                (0..n as u64).map(|i| [0, 1, 2].map(|j| mix(seed ^ (3 * i + j)) % spread)).collect();
            rows.sort_unstable();
            rows.dedup();
            let n = rows.len();
            let ids: Vec<u64> = (0..n as u64).map(|i| mix(i ^ seed)).collect();
            let points = matrix(rows.iter().flatten().map(|v| *v as f64 * 0.37).collect(), 3);
            // By place, or scattered: the cells' boxes then overlap, and the answer is still the same.
            let partition = SpacePartition::new(&points, cells);
            let mut members = vec![vec![]; cells as usize];
            for i in 0..n {
                let cell = if near { partition.cell_of(points.row_slice(i)) } else { (mix(i as u64) % u64::from(cells)) as u32 };
                members[cell as usize].push(i);
            }
            let mut found = over_cells(&points, &ids, &members, min_samples);
            let (tree, order) = SpatialTree::<3>::build(&points, 1);
            let tree_ids: Vec<u64> = order.iter().map(|i| ids[*i as usize]).collect();
            let core = core_distances(&tree, None, min_samples, 1);
            let mut expected: Vec<Key> = spanning_tree(&tree, &core, &tree_ids, 1)
                .iter()
                .map(|edge| {
                    let ids = ordered(tree_ids[edge.a as usize], tree_ids[edge.b as usize]);
                    (edge.squared_reach, edge.squared_distance, ids)
                })
                .collect();
            found.sort_by(|a, b| a.partial_cmp(b).unwrap());
            expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
            prop_assert_eq!(found, expected);
        }
    }
}
