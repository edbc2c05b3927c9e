-- Up Migration
-- Additive

-- Waves of the proof of hardware that this market serves, by their first block. The chain has everything else.
create table app.wave (
  fill_block bigint primary key,
  -- After a reorganization the same block may begin no wave, or another one.
  fill_hash text not null,
  -- Milliseconds between blocks, as they came before the wave.
  block_ms integer not null,
  -- Time of the first block.
  began_at timestamptz not null,
  -- From the chain, once the wave is opened there: its number, and the measurers that its first block draws.
  wave_id bigint,
  drawn integer[],
  -- held, or why it is not; null while reveals may come.
  verdict text,
  passed integer,
  failed integer,
  kept integer,
  created_at timestamptz not null default now()
);

-- Nodes with a claim and a session when the wave began.
create table app.wave_node (
  fill_block bigint not null references app.wave on delete cascade,
  node_id integer not null,
  host text not null,
  port integer not null,
  -- What measurers show to read the node's answers.
  token text not null,
  -- The claimed devices: [{"device":0,"bytes":"67108864"}]
  claims jsonb not null,
  primary key (fill_block, node_id)
);

-- What measurers reveal, handed over once no one can commit any more.
create table app.wave_reveal (
  wave_id bigint not null,
  measurer_id integer not null,
  -- The fields of IProofWaves.WaveReveal after the ids.
  results text not null,
  transcripts text not null,
  exceptions text not null,
  salt text not null,
  list text not null,
  -- Null: not sent yet.
  sent_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (wave_id, measurer_id)
);

grant select, insert, update, delete on app.wave, app.wave_node, app.wave_reveal to ngpu_match;

-- Down Migration
