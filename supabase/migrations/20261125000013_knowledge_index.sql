-- A file's original lies below its tenant's own prefix of the bucket; a member could name another one's otherwise.
alter table public.knowledge_files add constraint knowledge_files_own_prefix
  check (object_key like tenant_id::text || '/%');

-- The nearest passages of one tenant. Two ways lead there, and the planner takes the cheaper one by the tenant's share
-- of the table: the few hundred passages of a shop are compared one by one, found by (tenant_id, file_id, position);
-- the many thousands of a large business by the graph below. The graph ranks all tenants' passages and filters after:
-- for a shop that loses most of its passages (bench/bench_database.py), and is slow where its scan goes on for them.
create index knowledge_chunks_embedding on public.knowledge_chunks
  using hnsw (embedding extensions.vector_cosine_ops);

-- Planned for the tenant at hand: a plan for any tenant would take each of them for an average shop.
create or replace function public.search_knowledge(p_tenant uuid, p_embedding extensions.vector, p_limit integer)
returns table (body text, source text, distance double precision)
language plpgsql stable security invoker
set search_path = ''
set plan_cache_mode = force_custom_plan
set hnsw.ef_search = 200
set hnsw.iterative_scan = strict_order
as $$
begin
  return query
    with nearest as (
      select c.body, c.file_id, c.embedding operator(extensions.<=>) p_embedding as distance
      from public.knowledge_chunks c where c.tenant_id = p_tenant
      order by distance limit least(greatest(p_limit, 1), 20)
    )
    select n.body, f.name, n.distance from nearest n
    join public.knowledge_files f on f.tenant_id = p_tenant and f.id = n.file_id
    order by n.distance;
end $$;
