//! Cuts of a [`Dendrogram`]: segments, where they are in the tree, and the tree's top.

use serde::{Deserialize, Serialize};

use super::linkage::{Dendrogram, Merge};

/// A segment of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its node in the dendrogram.
    pub node: u32,
    /// Its rows.
    pub count: u64,
}

/// A flat clustering.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// The segment of each point; `n`.
    pub labels: Vec<u32>,
    /// The segments by number: the one with the most rows first, of equal ones that with the first point.
    pub segments: Vec<Segment>,
    /// Height of the highest merge within a segment; 0 where there is none.
    pub height: f64,
}

/// The uppermost merges of a dendrogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// Over the nodes below these merges, each a point that weighs its rows.
    pub dendrogram: Dendrogram,
    /// The node, in the whole dendrogram, that each of these points is.
    pub nodes: Vec<u32>,
}

impl Dendrogram {
    /// At most `k` segments, cut as low as that allows. As in scipy's `fcluster` with `maxclust`, merges of one height
    /// happen together, so there may be fewer. `O(n)`.
    #[must_use]
    pub fn cut_into(&self, k: usize) -> Cut {
        let needed = self.points().saturating_sub(k.max(1)).min(self.merges().len());
        match needed.checked_sub(1) {
            None => self.cut_after(0),
            Some(last) => self.cut_at(self.merges()[last].height),
        }
    }

    /// The clustering after all merges of at most this height, as scipy's `fcluster` with `distance`. `O(n)`.
    #[must_use]
    pub fn cut_at(&self, height: f64) -> Cut {
        self.cut_after(self.merges().partition_point(|merge| merge.height <= height))
    }

    fn cut_after(&self, merges: usize) -> Cut {
        let n = self.points();
        // For each node, the segment that it is in, named by a node; from the root downwards.
        let mut top: Vec<u32> = (0..(n + merges) as u32).collect();
        for (i, merge) in self.merges()[..merges].iter().enumerate().rev() {
            top[merge.left as usize] = top[n + i];
            top[merge.right as usize] = top[n + i];
        }
        let mut number = vec![u32::MAX; top.len()];
        let mut nodes = vec![];
        // In the order of their first points, which a stable sort keeps among equals.
        for node in &top[..n] {
            if number[*node as usize] == u32::MAX {
                number[*node as usize] = 0;
                nodes.push(*node);
            }
        }
        nodes.sort_by_key(|node| std::cmp::Reverse(self.count(*node)));
        for (i, node) in nodes.iter().enumerate() {
            number[*node as usize] = i as u32;
        }
        Cut {
            labels: top[..n].iter().map(|node| number[*node as usize]).collect(),
            segments: nodes.iter().map(|&node| Segment { node, count: self.count(node) }).collect(),
            height: merges.checked_sub(1).map_or(0.0, |last| self.merges()[last].height),
        }
    }

    /// The nodes from the root down to `node`, both included. `O(n)`.
    #[must_use]
    pub fn path(&self, node: u32) -> Vec<u32> {
        let mut path = vec![node];
        let mut at = node;
        for (merge, above) in self.merges().iter().zip(self.points() as u32..) {
            if merge.left == at || merge.right == at {
                at = above;
                path.push(at);
            }
        }
        path.reverse();
        path
    }

    /// The `merges` highest merges, as scipy's `dendrogram` truncated by `lastp` at `merges + 1` leaves.
    #[must_use]
    pub fn top(&self, merges: usize) -> Top {
        let first = self.merges().len().saturating_sub(merges);
        let (n, kept) = (self.points(), &self.merges()[first..]);
        let lowest = (n + first) as u32;
        let mut nodes: Vec<u32> = kept.iter().flat_map(|merge| [merge.left, merge.right]).collect();
        nodes.retain(|node| *node < lowest);
        nodes.sort_unstable();
        if kept.is_empty() {
            nodes.extend((n + self.merges().len()).checked_sub(1).map(|root| root as u32));
        }
        let rename = |node: u32| match node.checked_sub(lowest) {
            Some(merge) => nodes.len() as u32 + merge,
            None => nodes.partition_point(|other| *other < node) as u32,
        };
        let merges = kept.iter().map(|merge| {
            let (left, right) = (rename(merge.left), rename(merge.right));
            Merge { left, right, ..*merge }
        });
        let dendrogram = Dendrogram::from_parts(nodes.iter().map(|node| self.count(*node)).collect(), merges.collect());
        Top { dendrogram, nodes }
    }
}
