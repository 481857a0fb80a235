"""Imputation, fences and scaling, and what numpy and scikit-learn make of the same rows."""

import math

import numpy as np
from sklearn.impute import KNNImputer
from sklearn.preprocessing import PowerTransformer, RobustScaler, StandardScaler

EPS = np.finfo(float).eps
# Sums are whole multiples of 2^-1020 or more.
LEAST = 1e-306


def close(ours: float, theirs: float, relative: float, absolute: float = 0.0) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    return ours == theirs or abs(ours - theirs) <= relative * max(abs(ours), abs(theirs)) + absolute


# -- imputation --------------------------------------------------------------------------------------------------------------------


def mean(x: np.ndarray) -> float:
    """Without overflow or rounding on the way."""
    top = float(np.max(np.abs(x), initial=0.0))
    return math.fsum(x / top) / len(x) * top if top > 0 else 0.0


def knn_cells(x: np.ndarray, k: int, weights: str):
    """Of each missing cell: (row, column, value, whether rounding decides among the donors). Donors that tie at the k-th distance share
    the places that are left, as Segmenta defines it; where none tie this is scikit-learn's answer."""
    known = ~np.isnan(x)
    d = x.shape[1]
    for i in np.flatnonzero(~known.all(axis=1)):
        both = known & known[i]
        shared = both.sum(axis=1)
        squares = np.zeros(len(x))
        for j in range(d):
            if known[i, j]:
                squares += np.where(known[:, j], (np.where(known[:, j], x[:, j], 0.0) - x[i, j]) ** 2, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.sqrt(squares * (d / shared))
        for j in np.flatnonzero(~known[i]):
            donors = np.flatnonzero(known[:, j] & (shared > 0))
            column = x[known[:, j], j]
            if len(donors) == 0:
                yield i, j, mean(column), False
                continue
            near = distance[donors]
            order = np.sort(near)
            last = order[min(k, len(order)) - 1]
            doubtful = bool(((near != last) & (np.abs(near - last) <= 1e-9 * last)).any()) and len(order) > k
            inner, tied = near < last, near == last
            places = min(k, len(order)) - inner.sum()
            portion = inner + tied * (places / tied.sum())
            if weights == "distance":
                # Squares that underflow make distances of which only some digits are left.
                doubtful |= bool((near[portion > 0] < 1e-140).any() and (near[portion > 0] > 0).any())
                zero = (near == 0) & (portion > 0)
                with np.errstate(divide="ignore"):
                    portion = np.where(zero, portion, 0.0) if zero.any() else portion / near
                chosen = portion > 0
                if chosen.any():
                    portion = portion / portion[chosen].max()
            values = x[donors, j]
            top = np.abs(values[portion > 0]).max()
            top = top if top > 0 else 1.0
            value = math.fsum((values / top * portion)[portion > 0]) / math.fsum(portion) * top
            yield i, j, value, doubtful


def check_imputation(case, raw: np.ndarray, filled: np.ndarray, flags: np.ndarray, methods: list[dict], knn: dict) -> None:
    missing = np.isnan(raw)
    case.equal("imputed flags", flags, missing)
    same = np.where(missing, 0.0, raw) == np.where(missing, 0.0, filled)
    case.check(same.all(), lambda: f"{(~same).sum()} known cells were changed, first at {np.argwhere(~same)[0]}")
    expected = {}
    if any(m["method"] == "knn" for m in methods):
        # A quarter of the cells of large tables.
        expected = {(i, j): (v, doubt) for i, j, v, doubt in knn_cells(raw, knn["neighbors"], knn["weights"])}
    for j, how in enumerate(methods):
        column = raw[~missing[:, j], j]
        size = np.abs(column).max(initial=0.0)
        for i in np.flatnonzero(missing[:, j]):
            match how["method"]:
                case "mean":
                    value, doubt = mean(column), False
                case "median":
                    value, doubt = float(np.median(column)), False
                case "constant":
                    value, doubt = how["value"], False
                case "knn":
                    value, doubt = expected[i, j]
            if not doubt:
                case.check(
                    close(filled[i, j], value, 1e-12, 4 * EPS * size + LEAST),
                    lambda: f"imputed by {how['method']}: row {i}, feature {j}: {filled[i, j]!r}, reference {value!r}",
                )


def check_knn_against_sklearn(case, raw: np.ndarray, filled: np.ndarray, knn: dict) -> None:
    """Of columns that scikit-learn's expanded squares can tell apart, cells without ties."""
    size = np.nanmax(np.abs(raw))
    if not 1e-3 < size < 1e4 or len(raw) > 500:
        return
    theirs = KNNImputer(n_neighbors=knn["neighbors"], weights=knn["weights"]).fit_transform(raw)
    if theirs.shape != raw.shape:
        return
    for i, j, value, doubtful in knn_cells(raw, knn["neighbors"], knn["weights"]):
        if not doubtful and close(theirs[i, j], value, 1e-6, 1e-6):
            case.check(
                close(filled[i, j], theirs[i, j], 2e-6, 2e-6),
                lambda: f"KNNImputer: row {i}, feature {j}: {filled[i, j]!r}, scikit-learn {theirs[i, j]!r}",
            )
            case.count("cells equal to KNNImputer's")


# -- fences ------------------------------------------------------------------------------------------------------------------------


def quantile(x: np.ndarray, q: float) -> float:
    return float(np.quantile(x, q))


def fence(x: np.ndarray, rule: dict):
    """`(low, high)` and the rounding that both may differ by; None for no fence."""
    match rule["method"]:
        case "none":
            return None
        case "iqr":
            q1, q3 = quantile(x, 0.25), quantile(x, 0.75)
            reach, middle = rule.get("factor", FACTORS["iqr"]) * (q3 - q1), (q1, q3)
        case "zscore":
            center = mean(x)
            middle, reach = (center, center), rule.get("factor", 3.0) * deviation(x)
        case "mad":
            center = quantile(x, 0.5)
            middle, reach = (center, center), rule.get("factor", 3.5) * quantile(np.abs(x - center), 0.5) / 0.6745
        case "percentile":
            middle, reach = (quantile(x, rule.get("low", 0.01)), quantile(x, rule.get("high", 0.99))), 0.0
    low, high = middle[0] - reach, middle[1] + reach
    slack = 8 * EPS * max(abs(middle[0]), abs(middle[1]), reach) + 1e-11 * reach
    return low, high, slack


def deviation(x: np.ndarray) -> float:
    """Population standard deviation."""
    center = mean(x)
    off = x - center
    top = np.abs(off).max()
    return float(top * math.sqrt(math.fsum((off / top) ** 2) / len(x))) if top > 0 else 0.0


FACTORS = {"iqr": 2.2, "zscore": 3.0, "mad": 3.5}
SHARE_LIMIT = 0.05


def fitted(x: np.ndarray, kept: np.ndarray, outliers: dict) -> np.ndarray:
    """The values that the clusterings are fitted to."""
    if outliers["action"] != "clip":
        return x[kept]
    low = np.array([-np.inf if f is None else f["low"] for f in outliers["fences"]])
    high = np.array([np.inf if f is None else f["high"] for f in outliers["fences"]])
    return np.clip(x, low, high)


def check_widening(case, filled: np.ndarray, rules: list[dict], applied: list) -> list[dict]:
    """The rules with the factors that were applied: default ones are widened, all by the same, until they set aside no more than
    their share, and no further than that."""
    default = [j for j, rule in enumerate(rules) if rule["method"] in FACTORS and "factor" not in rule]
    if not default:
        return rules
    own = lambda j: applied[j][rules[j]["method"]]["factor"] / FACTORS[rules[j]["method"]]
    times = own(default[0])
    case.check(all(close(own(j), times, 1e-9) for j in default) and times >= 1.0, lambda: f"factors {applied} of {rules}")

    def outside(times: float, of: list[int]) -> np.ndarray:
        found = np.zeros(len(filled), dtype=bool)
        for j in of:
            factor = rules[j].get("factor", FACTORS.get(rules[j]["method"], 0) * times)
            bounds = fence(filled[:, j], rules[j] | ({"factor": factor} if factor else {}))
            if bounds is not None and bounds[1] - bounds[0] > 4 * bounds[2]:
                low, high, slack = bounds
                found |= (filled[:, j] < low - slack) | (filled[:, j] > high + slack)
        return found

    within_others = ~outside(1.0, [j for j in range(len(rules)) if j not in default])
    most = int(SHARE_LIMIT * len(filled))
    count = lambda times: int((outside(times, default) & within_others).sum())
    case.check(count(times) <= most, lambda: f"widened by {times!r}, {count(times)} of {len(filled)} rows are outside")
    if times > 1.0:
        case.count("fences that were widened")
        case.check(count(times * (1 - 1e-4)) >= most, lambda: f"widened by {times!r}, but less would do: {count(times * (1 - 1e-4))} rows")
    factor = lambda j: FACTORS[rules[j]["method"]] * times
    return [rule | {"factor": factor(j)} if j in default else rule for j, rule in enumerate(rules)]


def check_fences(
    case, filled: np.ndarray, seen: np.ndarray, transforms: list, rules: list[dict], published: list, kept: np.ndarray, rejected: list[dict]
) -> None:
    """`seen` has the values that fences are found among, by `transforms`; `kept` tells which rows are within all of them; `rejected`
    has of each row that was set aside its place, rule, feature, value and fence."""
    for j, rule in enumerate(rules):
        # A quantile stays one under a transform, and is taken of the values as they are.
        plain = rule["method"] == "percentile"
        theirs, ours = fence((filled if plain else seen)[:, j], rule), published[j]
        if theirs is None:
            case.check(ours is None, lambda: f"feature {j} has the fence {ours}, but no rule")
            continue
        low, high, slack = theirs
        if ours is None:
            case.check(high - low <= 4 * slack, lambda: f"feature {j}: no fence by {rule}, reference {low!r} to {high!r}")
            continue
        ends = [ours["low"], ours["high"]]
        if not plain and transforms[j] != "none":
            # Where a transform reaches an end from nowhere, the fence is as far out as numbers go.
            with np.errstate(all="ignore"):
                found = transformed(np.array(ends), transforms[j])
            slack += 1e-9 * max(abs(low), abs(high), np.abs(seen[:, j]).max())
            # The reference knows no values on the other side of 0 from all that the lambda was found from.
            fits = all(abs(f - t) <= slack or abs(e) > 1e300 or np.isnan(f) for e, f, t in zip(ends, found, (low, high)))
        else:
            fits = abs(ends[0] - low) <= slack and abs(ends[1] - high) <= slack
        case.check(fits, lambda: f"feature {j}: fence by {rule} is {ours}, reference {low!r} to {high!r}")
        case.check(ours["high"] > ours["low"], lambda: f"feature {j}: a fence of no width, {ours}")
    low = np.array([-np.inf if f is None else f["low"] for f in published])
    high = np.array([np.inf if f is None else f["high"] for f in published])
    outside = (filled < low) | (filled > high)
    case.equal("rows within all fences", kept, ~outside.any(axis=1))
    for cut in rejected:
        j = int(np.argmax(outside[cut["row"]]))
        case.check(
            cut["feature"] == j and cut["rule"] == rules[j]["method"] and cut["value"] == filled[cut["row"], j]
            and cut["low"] == low[j] and cut["high"] == high[j],
            lambda: f"rejected row {cut}, but feature {j} is the first outside: {filled[cut['row']]}",
        )


# -- scaling -----------------------------------------------------------------------------------------------------------------------


def box_cox(logs: np.ndarray, power: float) -> np.ndarray:
    """Of the logarithms of values."""
    return logs if abs(power) < EPS else np.expm1(power * logs) / power


def yeo_johnson(x: np.ndarray, power: float, origin: float = 0.0) -> np.ndarray:
    """With an origin, which values on one side of 0 may have, Yeo and Johnson's but for a factor and a shift."""
    if origin < 0:
        return -yeo_johnson(-x, 2 - power, -origin)
    if origin > 0:
        return (1 + origin) * box_cox(np.log1p((x - origin) / (1 + origin)), power)
    y = np.empty_like(x)
    y[x >= 0] = box_cox(np.log1p(x[x >= 0]), power)
    y[x < 0] = -box_cox(np.log1p(-x[x < 0]), 2 - power)
    return y


def likelihood(x: np.ndarray, power: float) -> float:
    """A row's mean log-likelihood of a lambda of Yeo-Johnson's."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if (x <= 0).all():
            return likelihood(-x, 2 - power) if (x < 0).any() else -math.inf
        if (x >= 0).all():
            # Around the median no digits are lost, and beyond the largest exponent powers are those of the largest value.
            origin = float(np.median(x))
            logs = np.log1p((x - origin) / (1 + origin))
            top = float((power * logs).max())
            if np.abs(power * logs).max() < 50:
                spread = math.log(s) if (s := deviation(box_cox(logs, power))) > 0 else math.nan
            else:
                spread = top - math.log(abs(power)) + math.log(deviation(np.exp(power * logs - top)))
            return -spread + (power - 1) * mean(logs) - math.log1p(origin)
        spread = deviation(yeo_johnson(x, power))
        if not np.isfinite(spread) or spread <= 0:
            return -math.inf
        return -math.log(spread) + (power - 1) * math.fsum(np.sign(x) * np.log1p(np.abs(x))) / len(x)


def transformed(x: np.ndarray, transform) -> np.ndarray:
    """By a transform as model.json states it."""
    if transform == "none":
        return x.copy()
    if transform == "log1p":
        return np.log1p(x)
    if transform == "signed_log1p":
        return np.sign(x) * np.log1p(np.abs(x))
    return yeo_johnson(x, transform["yeo_johnson"]["lambda"], transform["yeo_johnson"].get("origin", 0.0))


def scaled(x: np.ndarray, scalers: list[dict]) -> np.ndarray:
    columns = [(transformed(x[:, j], s["transform"]) - s["center"]) / s["scale"] for j, s in enumerate(scalers)]
    return np.column_stack(columns)


def skewness(x: np.ndarray, values: np.ndarray) -> float:
    """Of `values`, those of the most extreme hundredth of `x` on either side taken as the quantile where it begins."""
    low, high = np.quantile(x, [0.01, 0.99])
    ends = np.interp([low, high], np.sort(x), np.sort(values))
    y = np.clip(values, *ends)
    off = y - y.mean()
    variance = (off**2).mean()
    return float((off**3).mean() / variance**1.5) if variance > 0 else math.nan


def check_choice(case, j: int, x: np.ndarray, name: str) -> None:
    """What `transform: auto` chose, unless it was a near thing."""
    with np.errstate(all="ignore"):
        found = skewness(x, x)
        logarithm = "log1p" if x.min() >= 0 else "signed_log1p"
        left = skewness(x, transformed(x, logarithm))
    if not math.isfinite(found) or abs(abs(found) - 1) < 0.02 or len(np.unique(x)) <= 2:
        return
    if abs(found) <= 1:
        case.check(name == "none", lambda: f"feature {j}: {name} at a skewness of {found}")
    elif math.isfinite(left) and abs(abs(left) - abs(found) / 2) > 0.02:
        asked = logarithm if abs(left) <= abs(found) / 2 else "yeo_johnson"
        case.check(name == asked, lambda: f"feature {j}: {name} at a skewness of {found}, {left} after {logarithm}")
    case.count("transforms chosen")


def check_scalers(case, all_rows: np.ndarray, kept: np.ndarray, settings: list[dict], scalers: list[dict]) -> None:
    """`kept` are the values of the fit."""
    for j, (how, ours) in enumerate(zip(settings, scalers)):
        x, asked = kept[:, j], how.get("transform", "none" if how["method"] == "none" else "auto")
        name = next(iter(ours["transform"])) if isinstance(ours["transform"], dict) else ours["transform"]
        constant = x.min() == x.max()
        if asked == "auto":
            check_choice(case, j, all_rows[:, j], name)
        else:
            case.check(name == asked, lambda: f"feature {j}: transform {ours['transform']}, asked {asked}")
        if name == "yeo_johnson" and all_rows[:, j].min() < all_rows[:, j].max():
            check_power(case, j, all_rows[:, j], ours["transform"]["yeo_johnson"]["lambda"])
        y = transformed(x, ours["transform"])
        size = np.abs(y).max()
        if not np.isfinite(size):
            case.check(False, lambda: f"feature {j}: the transform {ours['transform']} gives {size}")
            continue
        match how["method"]:
            case "none":
                center, spread, slack = 0.0, 1.0, 0.0
            case "standard":
                center, spread, slack = mean(y), deviation(y), 16 * EPS * size
                if 1e-3 < size < 1e6 and spread > 1e-6 * size and name != "yeo_johnson":
                    theirs = StandardScaler().fit(y[:, None])
                    case.check(close(ours["scale"], float(theirs.scale_[0]), 1e-9), lambda: f"feature {j}: StandardScaler {theirs.scale_}, {ours}")
            case "robust":
                center, spread = quantile(y, 0.5), quantile(y, 0.75) - quantile(y, 0.25)
                slack = 16 * EPS * size
                if 1e-3 < size < 1e6 and spread > 1e-9 * size:
                    theirs = RobustScaler().fit(y[:, None])
                    case.check(close(ours["scale"], float(theirs.scale_[0]), 1e-9), lambda: f"feature {j}: RobustScaler {theirs.scale_}, {ours}")
            case "minmax":
                center, spread, slack = float(y.min()), float(y.max() - y.min()), 4 * EPS * size
        # Below the rounding of the values, spread is none; near that limit either answer will do.
        limit = 10 * EPS * abs(center)
        allowed = [spread] if spread > 0.5 * limit and spread > 0 else []
        # Squares of deviations that are no doubles any more add up to 0, here as in scikit-learn.
        if spread <= 2 * limit + slack or (how["method"] == "standard" and spread < 1e-140):
            allowed.append(1.0)
        slack += LEAST
        case.check(
            abs(ours["center"] - center) <= slack and any(abs(ours["scale"] - s) <= slack + 1e-10 * s for s in allowed),
            lambda: f"feature {j}: {ours} by {how}, reference center {center!r}, scale {spread!r} ({len(x)} rows)",
        )


def check_power(case, j: int, x: np.ndarray, ours: float) -> None:
    try:
        with np.errstate(all="ignore"):
            theirs = float(PowerTransformer("yeo-johnson", standardize=False).fit(x[:, None]).lambdas_[0])
    except (ValueError, FloatingPointError):
        case.count("scikit-learn found no lambda")
        return
    mine, other = likelihood(x, ours), likelihood(x, theirs)
    if not math.isfinite(other):
        case.count("scikit-learn's lambda has no likelihood")
        return
    case.count("lambdas compared with scikit-learn's")
    case.check(
        mine >= other - 1e-6 * max(1.0, abs(other)),
        lambda: f"feature {j}: Yeo-Johnson's lambda {ours!r} has the log-likelihood {mine!r}, scikit-learn's {theirs!r} {other!r}",
    )
