//! The trees on the page: the top of the dendrogram, and HDBSCAN's condensed tree, laid out.

use std::collections::{BTreeMap, BTreeSet};

use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::hierarchy::Linkage;
use serde::Serialize;

use super::segments::{Clustering, SegmentView};
use segmenta_results::clusterings::Algorithm;
use segmenta_results::metrics::Metrics;
use segmenta_results::model::{HierarchyModel, Model};
use segmenta_results::words::{count, percent};

/// Leaves of the dendrogram that are shown.
const LEAVES: usize = 40;
/// Nodes of the condensed tree that are shown: the largest.
const NODES: usize = 200;

/// The top of a dendrogram.
#[derive(Debug, Serialize)]
pub(super) struct Dendrogram {
    linkage: Linkage,
    leaves: Vec<Leaf>,
    links: Vec<Link>,
    cut_below: f64,
    cut_above: Option<f64>,
    hidden_merges: u64,
    note: String,
}

/// A node below which nothing is shown.
#[derive(Debug, Clone, Serialize)]
struct Leaf {
    x: f64,
    size: u64,
    color: Option<i32>,
    short: Option<String>,
}

/// Drawn from `(x0, y0)` up to `y1`, over to `x1`, and down to `y2`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Link {
    x: [f64; 2],
    y: [f64; 3],
    color: Option<i32>,
}

pub(super) fn dendrogram(model: &Model, metrics: &Metrics, clusterings: &[Clustering]) -> Option<Dendrogram> {
    let (hierarchy, metrics) = (model.hierarchy.as_ref()?, metrics.hierarchy.as_ref()?);
    let segments = segments_of(clusterings, Algorithm::Hierarchy);
    let (leaves, links) = lay_out(hierarchy, segments);
    let merges = hierarchy.dendrogram.points.saturating_sub(1);
    let over = if metrics.is_exact {
        format!("Every one of the {} distinct customers was linked.", count(metrics.points))
    } else {
        let lost = metrics.reduction.and_then(|reduction| reduction.lost_variance);
        let lost =
            lost.map_or_else(String::new, |lost| format!(", within which {} of the variance lies", percent(lost)));
        format!("{} micro-clusters were linked{lost}.", count(metrics.points))
    };
    Some(Dendrogram {
        linkage: hierarchy.linkage,
        hidden_merges: merges - links.len() as u64,
        note: format!("{over} Shown are the {} highest of {} merges.", links.len(), count(merges)),
        leaves,
        links,
        cut_below: hierarchy.cut_below,
        cut_above: hierarchy.cut_above,
    })
}

fn segments_of(clusterings: &[Clustering], algorithm: Algorithm) -> &[SegmentView] {
    let mut of = clusterings.iter().filter(|clustering| clustering.algorithm == algorithm);
    of.next().map_or(&[], |clustering| &clustering.segments)
}

/// Where a node is drawn.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
}

fn lay_out(hierarchy: &HierarchyModel, segments: &[SegmentView]) -> (Vec<Leaf>, Vec<Link>) {
    let top = &hierarchy.dendrogram;
    let (n, kept) = (top.leaves.len(), top.linkage.len());
    let first = kept.saturating_sub(LEAVES - 1);
    // The links are the last merges of the whole dendrogram, in which points are numbered before merges.
    let node_of = |node: usize| -> u64 {
        match node.checked_sub(n) {
            None => u64::from(top.leaves[node]),
            Some(merge) => 2 * top.points - 1 - (kept - merge) as u64,
        }
    };
    let by_node: BTreeMap<u64, &SegmentView> = hierarchy
        .clusters
        .iter()
        .filter_map(|cluster| {
            let segment = segments.iter().find(|segment| segment.cluster == cluster.cluster)?;
            Some((u64::from(*cluster.path.last()?), segment))
        })
        .collect();
    let Some(root) = (n + kept).checked_sub(1) else { return (vec![], vec![]) };
    // From the root downwards, the left one first; then upwards again.
    let (mut order, mut open) = (vec![], vec![(root, None)]);
    while let Some((node, above)) = open.pop() {
        let segment: Option<&SegmentView> = above.or_else(|| by_node.get(&node_of(node)).copied());
        order.push((node, segment));
        if node >= n + first {
            let [left, right, ..] = top.linkage[node - n];
            open.extend([(right as usize, segment), (left as usize, segment)]);
        }
    }
    let mut leaves = vec![];
    let mut places: BTreeMap<usize, Place> = BTreeMap::new();
    for (node, segment) in &order {
        if *node < n + first {
            let x = leaves.len() as f64 + 0.5;
            let merge = node.checked_sub(n).and_then(|merge| top.linkage.get(merge));
            let size = merge.map_or_else(|| top.leaf_sizes.get(*node).copied().unwrap_or(0), |merge| merge[3] as u64);
            places.insert(*node, Place { x, y: merge.map_or(0.0, |merge| merge[2]) });
            let (color, short) = (segment.map(|segment| segment.color), segment.map(|segment| segment.short.clone()));
            leaves.push(Leaf { x, size, color, short });
        }
    }
    let mut links = vec![];
    for (node, segment) in order.iter().rev().filter(|(node, _)| *node >= n + first) {
        let [left, right, height, _] = top.linkage[node - n];
        let (Some(a), Some(b)) = (places.get(&(left as usize)), places.get(&(right as usize))) else { continue };
        links.push(Link { x: [a.x, b.x], y: [a.y, height, b.y], color: segment.map(|segment| segment.color) });
        places.insert(*node, Place { x: (a.x + b.x) / 2.0, y: height });
    }
    (leaves, links)
}

/// HDBSCAN's tree.
#[derive(Debug, Serialize)]
pub(super) struct CondensedTree {
    nodes: Vec<Node>,
    note: String,
}

/// A rectangle from `birth` down to `death`, as wide as its share of the rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Node {
    x0: f64,
    x1: f64,
    birth: f64,
    death: f64,
    size: u64,
    color: Option<i32>,
    selected: bool,
    short: Option<String>,
}

pub(super) fn condensed_tree(model: &Model, clusterings: &[Clustering]) -> Option<CondensedTree> {
    let hdbscan = model.hdbscan.as_ref()?;
    let segments = segments_of(clusterings, Algorithm::Hdbscan);
    let by_node = hdbscan.clusters.iter().filter_map(|cluster| {
        let segment = segments.iter().find(|segment| segment.cluster == cluster.cluster)?;
        Some((cluster.node, segment))
    });
    let nodes = rectangles(&hdbscan.condensed_tree, &by_node.collect());
    let all = hdbscan.condensed_tree.len();
    let note = if nodes.len() < all {
        format!("The {} largest of {} clusters of the tree are shown.", nodes.len(), count(all as u64))
    } else {
        String::new()
    };
    (!nodes.is_empty()).then_some(CondensedTree { nodes, note })
}

fn rectangles(tree: &[CondensedCluster], selected: &BTreeMap<u32, &SegmentView>) -> Vec<Node> {
    let Some(root) = tree.first() else { return vec![] };
    let mut largest: Vec<usize> = (0..tree.len()).collect();
    // A parent is not smaller than its child and comes before it, so that it is here when the child is.
    largest.sort_by_key(|i| (std::cmp::Reverse(tree[*i].size), *i));
    let shown: BTreeSet<usize> = largest.into_iter().take(NODES).collect();
    let finite = || tree.iter().flat_map(|node| [node.birth, node.death]).filter(|d| d.is_finite() && *d > 0.0);
    let least = finite().reduce(f64::min).unwrap_or(1.0);
    let most = finite().reduce(f64::max).unwrap_or(1.0);
    // The root is born infinitely far out, and duplicates die at 0; a logarithmic axis has room for neither.
    let clamp = |distance: f64| distance.clamp(least / 1.5, most * 1.5);
    let mut below: Vec<Vec<usize>> = vec![vec![]; tree.len()];
    for i in &shown {
        if let Some(parent) = tree[*i].parent {
            below[parent as usize].push(*i);
        }
    }
    let mut left = vec![0.0; tree.len()];
    let mut nodes = Vec::with_capacity(shown.len());
    for i in shown {
        let node = &tree[i];
        let share = node.size as f64 / root.size.max(1) as f64;
        let mut at = left[i];
        for child in &below[i] {
            left[*child] = at;
            at += tree[*child].size as f64 / root.size.max(1) as f64;
        }
        let segment = u32::try_from(i).ok().and_then(|i| selected.get(&i));
        nodes.push(Node {
            x0: left[i],
            x1: left[i] + share,
            birth: clamp(node.birth),
            death: clamp(node.death),
            size: node.size,
            color: segment.map(|segment| segment.color),
            selected: segment.is_some(),
            short: segment.map(|segment| segment.short.clone()),
        });
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_results::clusterings::LinkedCluster;
    use segmenta_results::model::DendrogramModel;

    #[test]
    fn a_dendrogram_is_laid_out() {
        // Points 0..3; ((0 1) 2): the segments are (0 1), node 3, and 2.
        let cluster = |cluster, size, path: &[u32]| LinkedCluster { cluster, size, path: path.to_vec() };
        let hierarchy = HierarchyModel {
            linkage: Linkage::Ward,
            clusters: vec![cluster(0, 2, &[4, 3]), cluster(1, 1, &[4, 2])],
            labels: std::collections::BTreeMap::new(),
            points: vec![],
            cut_below: 1.0,
            cut_above: Some(5.0),
            dendrogram: DendrogramModel {
                points: 3,
                leaves: vec![0, 1, 2],
                leaf_sizes: vec![1, 1, 1],
                linkage: vec![[0.0, 1.0, 1.0, 2.0], [2.0, 3.0, 5.0, 3.0]],
            },
        };
        let segments = [SegmentView::plain(0, "A"), SegmentView::plain(1, "B")];
        let (leaves, links) = lay_out(&hierarchy, &segments);
        let names: Vec<_> = leaves.iter().map(|leaf| (leaf.x, leaf.short.as_deref().unwrap_or("-"))).collect();
        assert_eq!(names, [(0.5, "B"), (1.5, "A"), (2.5, "A")]);
        assert_eq!(
            links,
            [
                Link { x: [1.5, 2.5], y: [0.0, 1.0, 0.0], color: Some(0) },
                Link { x: [0.5, 2.0], y: [0.0, 5.0, 1.0], color: None },
            ]
        );
    }

    #[test]
    fn children_lie_within_their_parents() {
        let node = |parent, birth, death, size| CondensedCluster { parent, birth, death, size, stability: 0.0 };
        let tree = [
            node(None, f64::INFINITY, 4.0, 100),
            node(Some(0), 4.0, 0.0, 30),
            node(Some(0), 4.0, 2.0, 60),
            node(Some(2), 2.0, 1.0, 25),
        ];
        let noted = SegmentView::plain(0, "A");
        let nodes = rectangles(&tree, &[(2, &noted)].into());
        assert_eq!(nodes.len(), 4);
        assert_eq!((nodes[0].x0, nodes[0].x1, nodes[0].birth), (0.0, 1.0, 6.0));
        assert_eq!((nodes[1].x0, nodes[1].x1), (0.0, 0.3));
        assert!((nodes[2].x0, nodes[2].selected) == (0.3, true) && nodes[3].x0 == 0.3 && !nodes[3].selected);
        assert!(nodes.iter().all(|node| node.birth >= node.death && node.death > 0.0));
        // All rows in one place.
        let nodes = rectangles(&[node(None, f64::INFINITY, 0.0, 9)], &BTreeMap::new());
        assert!(nodes[0].birth > nodes[0].death && nodes[0].death > 0.0);
    }
}
