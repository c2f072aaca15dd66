"""All Streamlit code that pages share."""
