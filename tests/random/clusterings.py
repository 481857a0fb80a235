"""K-Means, hierarchical clustering and HDBSCAN, and what scikit-learn, scipy and hdbscan answer on the same prepared points."""

import warnings

import hdbscan
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, pdist
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_score

from preparation import close


# -- K-Means -----------------------------------------------------------------------------------------------------------------------


def has_digits(z: np.ndarray) -> bool:
    """Whether means of the points are told as finely as the points differ: of values near 2^53 that differ by a few, they are not."""
    return np.abs(z).max() * np.finfo(float).eps <= 1e-9 * np.abs(z - z.mean(axis=0)).max()


def check_kmeans(case, z: np.ndarray, labels: np.ndarray, distances: np.ndarray, model: dict, metrics: dict, spec: dict) -> None:
    clusters = sorted(model["clusters"], key=lambda c: c["cluster"])
    numbers = [c["cluster"] for c in clusters]
    centers = np.array([c["centroid_scaled"] for c in clusters])
    candidate = next(c for c in metrics["candidates"] if c["k"] == metrics["chosen_k"])
    case.check(set(labels) <= set(numbers), lambda: f"labels {sorted(set(labels))}, clusters of the model {numbers}")
    away = cdist(z, centers)
    place = np.array([numbers.index(label) for label in labels])
    own, nearest = away[np.arange(len(z)), place], away.min(axis=1)
    size = np.abs(z).max() + 1e-300
    slack = 1e-12 * size
    if spec.get("algorithm", "lloyd") != "bisecting":
        worst = int(np.argmax(own - nearest))
        case.check(
            own[worst] - nearest[worst] <= slack + 1e-9 * nearest[worst],
            lambda: f"point {z[worst]} is in a cluster {own[worst]!r} away, another is {nearest[worst]!r} away",
        )
    case.check(
        np.allclose(distances, own, rtol=1e-9, atol=slack),
        lambda: f"kmeans_distance is off by {np.abs(distances - own).max()!r} (of up to {own.max()!r})",
    )
    inertia = float((own**2).sum())
    case.check(
        close(candidate["inertia"], inertia, 1e-9, len(z) * (1e-14 * size) ** 2),
        lambda: f"inertia {candidate['inertia']!r}, from labels and centroids {inertia!r}",
    )
    sizes = np.bincount(place, minlength=len(numbers)).tolist()
    case.check(candidate["sizes"] == sizes, lambda: f"sizes {candidate['sizes']}, labels have {sizes}")
    k, distinct = metrics["chosen_k"], len(np.unique(z, axis=0))
    case.check(len(clusters) == k, lambda: f"{len(clusters)} clusters in the model, k is {k}")
    ended = {c["k"]: c["inertia"] for c in metrics["candidates"]}
    for few, many in zip(sorted(ended), sorted(ended)[1:]):
        if ended[many] > ended[few] * 1.05 + slack:
            case.count("inertia that rises with k")
    if k < distinct and spec.get("algorithm", "lloyd") == "lloyd" and "start" not in spec and size < 1e100:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            best = KMeans(k, n_init=10, random_state=0).fit(z).inertia_
        # Of few rows a start tells more.
        case.check(
            candidate["inertia"] <= (1.05 if len(z) > 200 else 1.3) * best + 1e-9 * size**2,
            lambda: f"inertia {candidate['inertia']!r} with k = {k}, scikit-learn's best of ten {best!r} ({len(z)} rows)",
        )
        case.note("inertia over scikit-learn's", candidate["inertia"] / best if best > 1e-9 * size**2 else 1.0)
    check_scores(case, z, labels, candidate, size)


def check_scores(case, z: np.ndarray, labels: np.ndarray, ours: dict, size: float) -> None:
    found = len(np.unique(labels))
    if not 2 <= found < len(z):
        return
    # The scores depend on no unit and no origin, but scikit-learn takes what is small for 0, and loses digits far from 0.
    z = z - z.mean(axis=0)
    z, size = z / max(np.abs(z).max(), 1e-300), 1.0
    with np.errstate(all="ignore"):
        direct = silhouette(z, labels)
        case.check(close(ours["silhouette"], direct, 1e-7, 1e-9), lambda: f"silhouette {ours['silhouette']!r}, reference {direct!r}")
        # scikit-learn's distances cancel where points lie near each other and far from 0.
        theirs = silhouette_score(z, labels)
        fits = close(ours["silhouette"], theirs, 1e-4, 1e-4)
        case.check(fits, lambda: f"silhouette {ours['silhouette']!r}, scikit-learn {theirs!r}")
        within = sum(((z[labels == c] - z[labels == c].mean(axis=0)) ** 2).sum() for c in np.unique(labels))
        # Where nothing is left within the clusters, the ratio is one of rounding.
        if within > 1e-18 * size**2 * len(z):
            theirs = calinski_harabasz_score(z, labels)
            case.check(
                close(ours["calinski_harabasz"], theirs, 1e-7), lambda: f"calinski_harabasz {ours['calinski_harabasz']!r}, scikit-learn {theirs!r}"
            )
            theirs = davies_bouldin_score(z, labels)
            case.check(
                close(ours["davies_bouldin"], theirs, 1e-7, 1e-9), lambda: f"davies_bouldin {ours['davies_bouldin']!r}, scikit-learn {theirs!r}"
            )


def silhouette(z: np.ndarray, labels: np.ndarray) -> float:
    names, own = np.unique(labels, return_inverse=True)
    member = np.eye(len(names))[own]
    sums, sizes = cdist(z, z) @ member, member.sum(axis=0)
    rows = np.arange(len(z))
    inner = sums[rows, own] / np.maximum(sizes[own] - 1, 1)
    others = sums / sizes
    others[rows, own] = np.inf
    outer = others.min(axis=1)
    with np.errstate(invalid="ignore"):
        each = np.where((sizes[own] > 1) & (np.maximum(inner, outer) > 0), (outer - inner) / np.maximum(inner, outer), 0.0)
    return float(each.mean())


# -- hierarchy ---------------------------------------------------------------------------------------------------------------------


def check_hierarchy(case, z: np.ndarray, labels: np.ndarray, model: dict, metrics: dict, spec: dict) -> None:
    check_numbered_by_size(case, "hierarchy_cluster", labels)
    sizes = [c["size"] for c in sorted(model["clusters"], key=lambda c: c["cluster"])]
    counted = np.bincount(labels).tolist()
    case.check(sizes == counted, lambda: f"hierarchy: sizes {sizes}, labels have {counted}")
    if not metrics["is_exact"]:
        case.count("hierarchies over micro-clusters")
        return
    method = spec.get("linkage", "ward")
    rng = np.random.default_rng(0)
    answers = []
    for _ in range(1 if method == "single" else 3):
        order = rng.permutation(len(z))
        tree = linkage(z[order], method)
        cut = fcluster(tree, spec["height"], "distance") if "height" in spec else fcluster(tree, spec.get("clusters", 3), "maxclust")
        mine = np.empty(len(z), dtype=int)
        mine[order] = cut
        answers.append((mine, np.sort(tree[:, 2])))
    first, heights = answers[0]
    top = heights.max() if len(heights) else 0.0
    if any(not np.allclose(heights, h, rtol=1e-9, atol=1e-12 * top) for _, h in answers):
        case.count("hierarchies with ties")
        return
    # Rounding decides where the cut meets heights that are nearly the same.
    edge = spec["height"] if "height" in spec else None
    if edge is None:
        k = min(spec.get("clusters", 3), len(z))
        edge = heights[len(z) - k] if k > 1 else top
        near = np.abs(heights - edge) <= 1e-9 * top
        # One height is the edge itself; equal ones merge together, nearly equal ones in any order.
        unclear = near.sum() > 1 or (k == 1)
        edge = None if k == 1 else edge
    else:
        unclear = bool((np.abs(heights - edge) <= 1e-9 * top).any())
    known = np.array([row[2] for row in model["dendrogram"]["linkage"]])
    highest = heights[len(heights) - len(known):] if len(known) else heights[:0]
    if len(known):
        case.check(
            np.allclose(np.sort(known), highest, rtol=1e-8, atol=1e-10 * top),
            lambda: f"hierarchy by {method}: highest merges {np.sort(known)[-4:]}, scipy {highest[-4:]}, off by {np.abs(np.sort(known) - highest).max()!r}",
        )
    if unclear:
        case.count("hierarchies whose cut is in doubt")
        return
    index = adjusted_rand_score(first, labels)
    case.check(index > 1 - 1e-12, lambda: f"hierarchy by {method}, {spec}: adjusted Rand index {index!r} with scipy; sizes {counted[:8]}, {np.sort(np.bincount(first))[::-1][:8]}")
    case.count("hierarchies equal to scipy's")


def check_numbered_by_size(case, name: str, labels: np.ndarray) -> None:
    counted = np.bincount(labels[labels >= 0]).tolist()
    case.check(all(a >= b for a, b in zip(counted, counted[1:])) and 0 not in counted, lambda: f"{name}: not numbered by size: {counted}")


# -- HDBSCAN -----------------------------------------------------------------------------------------------------------------------


def reference(z: np.ndarray, spec: dict, size: int):
    """Labels, probabilities and outlier scores (None where the package has none), or None where the answer depends on the order of rows."""
    samples = spec["min_samples"]
    options = {
        "cluster_selection_method": spec.get("selection", "eom"),
        "cluster_selection_epsilon": spec.get("cluster_selection_epsilon", 0.0),
        "allow_single_cluster": spec.get("allow_single_cluster", False),
    }
    rng = np.random.default_rng(1)
    answers = []
    for _ in range(2):
        order = rng.permutation(len(z))
        if samples > 1:
            # The hdbscan package does not count the point itself.
            fitted = hdbscan.HDBSCAN(
                min_samples=samples - 1, min_cluster_size=size, approx_min_span_tree=False, algorithm="generic",
                max_cluster_size=spec.get("max_cluster_size", 0), **options,
            ).fit(z[order])
            tree = fitted.condensed_tree_._raw_tree
            # A point that joins two clusters at its own core distance goes to either of them there, and to neither here.
            born = {row["child"]: row["lambda_val"] for row in tree if row["child_size"] > 1}
            if any(row["child_size"] == 1 and close(row["lambda_val"], born.get(row["parent"], -1.0), 1e-9) for row in tree):
                return None
            scores = fitted.outlier_scores_
        else:
            if options["cluster_selection_epsilon"] > 0:
                return None
            fitted = HDBSCAN(
                min_samples=1, min_cluster_size=size, algorithm="brute", copy=True, max_cluster_size=spec.get("max_cluster_size"), **options
            ).fit(z[order])
            scores = None
        labels, probabilities = np.empty(len(z), dtype=int), np.empty(len(z))
        labels[order], probabilities[order] = fitted.labels_, fitted.probabilities_
        outliers = None
        if scores is not None:
            outliers = np.empty(len(z))
            outliers[order] = scores
        answers.append((labels, probabilities, outliers))
    (labels, probabilities, outliers), (again, others, _) = answers
    same = adjusted_rand_score(labels, again) == 1 and ((labels == -1) == (again == -1)).all()
    if not same or not np.allclose(probabilities, others, atol=1e-9):
        return None
    return labels, probabilities, outliers


def check_hdbscan(case, z: np.ndarray, assigned: dict, model: dict, metrics: dict, spec: dict) -> None:
    labels = assigned["hdbscan_cluster"]
    check_numbered_by_size(case, "hdbscan_cluster", labels)
    noise = int((labels == -1).sum())
    case.check(metrics["noise"] == noise, lambda: f"hdbscan: {metrics['noise']} noise in metrics.json, {noise} in the assignments")
    probabilities, scores = assigned["hdbscan_probability"], assigned["hdbscan_outlier_score"]
    case.check(
        ((probabilities >= 0) & (probabilities <= 1) & (scores >= 0) & (scores <= 1)).all() and (probabilities[labels == -1] == 0).all(),
        lambda: "hdbscan: probabilities or outlier scores beyond 0 to 1, or noise that belongs to a cluster",
    )
    if len(np.unique(z, axis=0)) < len(z) or len(z) < 3:
        case.count("HDBSCAN of equal points, not compared")
        return
    lengths = np.sort(pdist(z))
    if (np.diff(lengths) <= 1e-11 * lengths[1:]).any():
        case.count("HDBSCAN with tied distances, not compared")
        return
    if spec["min_samples"] > len(z):
        case.count("HDBSCAN with more samples than rows, not compared")
        return
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        theirs = reference(z, spec, metrics["min_cluster_size"])
    if theirs is None:
        case.count("HDBSCAN that depends on the order of rows, not compared")
        return
    index = adjusted_rand_score(theirs[0], labels)
    if spec.get("graph", "exact") == "knn":
        case.note("adjusted Rand index of graph: knn with the exact answer", index)
        return
    same = index > 1 - 1e-12 and ((theirs[0] == -1) == (labels == -1)).all()
    case.check(
        same,
        lambda: f"hdbscan {spec}, min_cluster_size {metrics['min_cluster_size']}: {np.bincount(labels + 1).tolist()} (noise first), "
        f"reference {np.bincount(theirs[0] + 1).tolist()}, adjusted Rand index {index!r}",
    )
    if not same:
        return
    worst = float(np.abs(theirs[1] - probabilities).max())
    case.check(worst <= 1e-6, lambda: f"hdbscan {spec}: probabilities are off by {worst!r}")
    if theirs[2] is not None:
        worst = float(np.abs(theirs[2] - scores).max())
        case.check(worst <= 1e-6, lambda: f"hdbscan {spec}: outlier scores are off by {worst!r}")
    case.count("HDBSCAN equal to the reference")
