from ui.viewer.trust_rows import rows
from xai_core.glossary.entries import MEASURES
from xai_core.glossary.text import anchor_of

TRUST = {
    "nan": False,
    "relative_delta": 0.034,
    "faithfulness": {"deletion_auc": 0.21, "insertion_auc": 0.8, "random_auc": 0.5, "gap": 0.59},
    "infidelity": {"value": 0.1, "share": 0.23, "even_share": 0.61},
    "agreement": {
        "with": "occlusion",
        "spearman": -0.12,
        "top_k_iou": 0.31,
        "sign": 0.7,
        "ssim": 0.4,
        "by_chance": {"spearman": 0.02, "top_k_iou": 0.12, "sign": 0.64, "ssim": 0.21},
    },
    "corner_share": 0.04,
    "top_cell": 0.05,
    "badge": "good",
}


def test_each_measure_stands_beside_what_chance_reaches():
    assert [(row["name"], row["value"], row["chance"]) for row in rows(TRUST)] == [
        ("Completeness", "3.4 %", "About 100 %"),
        ("Deletion and insertion", "0.59", "0 on average"),
        ("Infidelity", "23 %", "61 %"),
        ("Rank correlation", "−0.12", "0.02"),
        ("The strongest tenth", "31 %", "12 %"),
        ("The same sign", "70 %", "64 %"),
        ("Structural similarity", "0.40", "0.21"),
        ("In the corners", "4.0 %", "16 %"),
        ("In one spot", "5.0 %", "0.4 %"),
    ]


def test_agreement_names_the_other_map():
    groups = {row["group"] for row in rows(TRUST)}
    assert groups == {"", "Agreement with Occlusion"}


def test_each_row_leads_to_its_explanation():
    anchors = {anchor_of(key) for key in MEASURES}
    assert all(row["anchor"] in anchors for row in rows(TRUST))


def test_what_earlier_versions_did_not_measure_has_no_row():
    agreement = {"with": "occlusion", "spearman": 0.1, "top_k_iou": 0.2, "sign": 0.5}
    found = rows({"corner_share": 0.05, "agreement": agreement})
    assert [row["chance"] for row in found] == [
        "0 for noise",
        "5 % for noise",
        "50 % for noise",
        "16 %",
    ]
    assert rows({}) == []
