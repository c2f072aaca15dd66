"""The workbench: faces, analysis, services and the Streamlit app."""
