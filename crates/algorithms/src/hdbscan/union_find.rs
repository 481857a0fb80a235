//! Disjoint sets of points: union by index with path halving.

/// `n` disjoint sets; 4 bytes a point.
#[derive(Debug, Clone)]
pub(crate) struct UnionFind {
    parent: Vec<u32>,
}

impl UnionFind {
    /// Every point on its own.
    #[must_use]
    pub(crate) fn new(n: usize) -> Self {
        Self { parent: (0..n as u32).collect() }
    }

    /// The set of a point, named by one of its points.
    #[inline]
    pub(crate) fn find(&mut self, mut point: u32) -> u32 {
        while self.parent[point as usize] != point {
            let grandparent = self.parent[self.parent[point as usize] as usize];
            self.parent[point as usize] = grandparent;
            point = grandparent;
        }
        point
    }

    /// Joins the sets of two points; false when they were one.
    #[inline]
    pub(crate) fn unite(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return false;
        }
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        self.parent[high as usize] = low;
        true
    }
}
