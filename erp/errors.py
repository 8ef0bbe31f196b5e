"""What can go wrong with the demonstration ERP; a message holds the fact and the remedy."""


class ErpError(Exception):
    """The command cannot be done; nothing is half done. The text is fit to be shown as it is."""
