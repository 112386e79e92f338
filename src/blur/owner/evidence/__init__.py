"""What an audit looks at: samples of the texts, what models know of them, attacks. Pure numbers come out."""
