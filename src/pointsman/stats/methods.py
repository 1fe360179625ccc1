"""What each method stands on: said beside every number, so that nobody has to guess."""

from collections.abc import Mapping

import msgspec

_ALIKE = "cases are independent of each other, or of one cluster that is named"
_LIKE_THESE = "cases to come are like these"
_PAIRED = "each case was given to both"
_NEAR_NORMAL = "means of so many cases are near normal"


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """A method in a sentence, what must hold for its word to count, and where it is from."""

    does: str
    assumes: tuple[str, ...]
    source: str


METHODS: Mapping[str, Method] = {
    "wilson": Method(
        does="Wilson's interval of a rate",
        assumes=("cases are independent of each other", _LIKE_THESE),
        source="Wilson 1927, JASA 22",
    ),
    "mean": Method(
        does="Student's t on the clustered error of a mean; below 30 clusters CR2 with its own "
        "degrees of freedom",
        assumes=(_ALIKE, _LIKE_THESE, _NEAR_NORMAL),
        source="Miller 2024, arXiv 2411.00640; Bell and McCaffrey 2002",
    ),
    "paired": Method(
        does="Student's t on the differences case by case, clustered as a mean; never surer than "
        "the few cases that differ allow",
        assumes=(_PAIRED, _ALIKE, _LIKE_THESE, _NEAR_NORMAL),
        source="Miller 2024, arXiv 2411.00640",
    ),
    "epochs": Method(
        does="the variance of a mean, split into that over cases and that of one answer",
        assumes=("answers to one case are independent of each other", _ALIKE, _LIKE_THESE),
        source="analysis of variance by moments; Miller 2024, section 3",
    ),
    "power": Method(
        does="cases by which a difference of this size is shown",
        assumes=(_PAIRED, _NEAR_NORMAL, "the spread of the differences is as stated"),
        source="Miller 2024, section 5; Chow, Shao and Wang 2008 for sameness",
    ),
    "fieller": Method(
        does="Fieller's interval of a ratio, corrected for the skewness of costs",
        assumes=(_ALIKE, _LIKE_THESE),
        source="Fieller 1954; Hall 1992",
    ),
    "delta": Method(
        does="the delta method: Student's t on the linearised ratio",
        assumes=(_ALIKE, _LIKE_THESE, _NEAR_NORMAL, "the rate of accepted is clearly above zero"),
        source="linearisation; Miller 2024 for the clustered error",
    ),
    "bootstrap": Method(
        does="the bootstrap over clusters, bias-corrected and accelerated",
        assumes=(_ALIKE, _LIKE_THESE),
        source="Efron 1987, JASA 82",
    ),
    "ppi": Method(
        does="the judge's mean, corrected by how it erred where people looked (PPI++)",
        assumes=("labelled cases are a random draw", _ALIKE, _LIKE_THESE,
                 "the judge was not tuned on these labels"),
        source="Angelopoulos et al. 2023, arXiv 2311.01453",
    ),
    "rogan_gladen": Method(
        does="the rate behind a yes/no judge, from how often it errs on labelled cases",
        assumes=("the judge errs on all cases as on the labelled ones of the same truth", _ALIKE),
        source="Rogan and Gladen 1978; Lang and Reiczigel 2014",
    ),
    "drift": Method(
        does="an e-detector of Shiryaev-Roberts kind on the mean of values in [0, 1]",
        assumes=("values do not depend on those before while nothing changes",
                 "the leading window is like what follows until the change"),
        source="Shin, Ramdas and Rinaldo, arXiv 2203.03532",
    ),
    "srm": Method(
        does="a sequential test of shares by a Dirichlet mixture",
        assumes=("cases are assigned independently of each other",),
        source="Lindon and Malek, arXiv 2011.03567",
    ),
    "ab": Method(
        does="an asymptotic confidence sequence of the difference of two means, and for yes/no "
        "outcomes exact evidence by pairs in order",
        assumes=("cases went to the arms by chance", "cases are independent of each other"),
        source="Waudby-Smith et al., arXiv 2103.06476; Turner, Ly and Grünwald 2024",
    ),
    "slices": Method(
        does="candidates chosen on one half, tested on the other under Benjamini and Hochberg",
        assumes=("cases are independent of each other",),
        source="SliceLine, SIGMOD 2021; Benjamini and Hochberg 1995",
    ),
    "holm": Method(
        does="Holm's correction: the chance of any false statement is bounded",
        assumes=("each p-value is valid by itself",),
        source="Holm 1979",
    ),
    "fdr": Method(
        does="Benjamini and Hochberg's: the share of false ones among those stated is bounded",
        assumes=("p-values are valid, and independent or positively dependent",),
        source="Benjamini and Hochberg 1995",
    ),
    "e-fdr": Method(
        does="the same for e-values (e-BH), however they depend on each other",
        assumes=("each e-value is valid by itself",),
        source="Wang and Ramdas 2022",
    ),
}  # fmt: skip
