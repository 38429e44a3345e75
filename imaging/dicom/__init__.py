"""DICOM to pixels; runs in the decoding process. Attributes are named by their keywords (PS3.6)."""
